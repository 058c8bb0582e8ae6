//! Reads rows one by one, so that a row that cannot be read does not hide the others.

use catchment_domain::ports::StoreError;
use catchment_domain::{Damage, Found, ImportNumber, Lane, Position, Revision, StoredItem};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IdenStatic, QueryFilter,
    QueryOrder, QueryResult, QuerySelect, QueryTrait, Select, Statement,
};

use crate::error::{classify, stored};

/// Returns the item that a row holds, by its key.
pub(crate) type ItemOf = fn(&QueryResult) -> Result<StoredItem, StoreError>;

/// Reads the rows of a statement, one by one.
pub(crate) async fn read_each<M: FromQueryResult, T>(
    connection: &impl ConnectionTrait,
    statement: Statement,
    item_of: ItemOf,
    read: impl Fn(M) -> Result<T, StoreError> + Send,
) -> Result<Found<Vec<T>>, StoreError> {
    let rows = connection.query_all_raw(statement).await.map_err(classify)?;
    rows.iter().map(|row| read_row(row, item_of, &read)).collect()
}

/// Reads rows in the order of a key, from the key behind `behind` on, until `limit` rows could be
/// read. Damage behind the last of them belongs to the next page.
pub(crate) async fn read_page<E: EntityTrait, T>(
    connection: &impl ConnectionTrait,
    (rows, key): (&Select<E>, E::Column),
    (mut behind, limit): (Option<i64>, usize),
    item_of: ItemOf,
    read: impl Fn(E::Model) -> Result<T, StoreError> + Send + Sync,
) -> Result<Found<Vec<T>>, StoreError> {
    let mut page: Found<Vec<T>> = Found::default();
    while page.found.len() < limit {
        let wanted = stored((limit - page.found.len()) as u64).cast_unsigned();
        let query = rows
            .clone()
            .apply_if(behind, |query, behind| query.filter(key.gt(behind)))
            .order_by_asc(key)
            .limit(wanted)
            .build(connection.get_database_backend());
        let rows = connection.query_all_raw(query).await.map_err(classify)?;
        let Some(last) = rows.last() else { break };
        behind = Some(last.try_get("", key.as_str()).map_err(classify)?);
        for row in &rows {
            page.push(read_row(row, item_of, &read)?);
        }
        if (rows.len() as u64) < wanted {
            break;
        }
    }
    Ok(page)
}

/// Reads a row, or says what is wrong with it.
pub(crate) fn read_row<M: FromQueryResult, T>(
    row: &QueryResult,
    item_of: ItemOf,
    read: impl Fn(M) -> Result<T, StoreError>,
) -> Result<Result<T, Damage>, StoreError> {
    read_part(row, "", item_of, read)
}

/// Reads the part of a row whose columns have a prefix, or says what is wrong with it.
pub(crate) fn read_part<M: FromQueryResult, T>(
    row: &QueryResult,
    prefix: &str,
    item_of: ItemOf,
    read: impl Fn(M) -> Result<T, StoreError>,
) -> Result<Result<T, Damage>, StoreError> {
    let model = M::from_query_result(row, prefix).map_err(classify);
    let model = match model {
        Err(StoreError::BadData { what }) => {
            let item = item_of(row)?;
            return Ok(Err(Damage { what: format!("{item}: {what}"), item }));
        }
        model => model?,
    };
    match read(model) {
        Err(StoreError::BadData { what }) => Ok(Err(Damage { item: item_of(row)?, what })),
        read => read.map(Ok),
    }
}

/// Names the item of a row of campaigns.
pub(crate) fn campaign_of(row: &QueryResult) -> Result<StoredItem, StoreError> {
    revision_of(row).map(StoredItem::Campaign)
}

/// Names the item of a row of chunks.
pub(crate) fn outcomes_of(row: &QueryResult) -> Result<StoredItem, StoreError> {
    Ok(StoredItem::Outcomes(revision_of(row)?, number_of(row)?))
}

/// Names the item of a row of lists.
pub(crate) fn list_of(row: &QueryResult) -> Result<StoredItem, StoreError> {
    Ok(StoredItem::List(revision_of(row)?, number_of(row)?))
}

/// Names the item of a row of receipts.
pub(crate) fn receipt_of(row: &QueryResult) -> Result<StoredItem, StoreError> {
    let from: i64 = row.try_get("", "from_position").map_err(classify)?;
    Ok(StoredItem::Receipt(lane_of(row)?, Position(from.cast_unsigned())))
}

/// Names the item of a row of import receipts.
pub(crate) fn import_receipt_of(row: &QueryResult) -> Result<StoredItem, StoreError> {
    let number: i64 = row.try_get("", "number").map_err(classify)?;
    Ok(StoredItem::ImportReceipt(lane_of(row)?, ImportNumber(number.cast_unsigned())))
}

fn lane_of(row: &QueryResult) -> Result<Lane, StoreError> {
    let lane: i32 = row.try_get("", "lane").map_err(classify)?;
    Ok(Lane(u16::try_from(lane).unwrap_or(u16::MAX)))
}

/// Reads the number of a campaign. A negative number becomes one that no campaign has.
fn revision_of(row: &QueryResult) -> Result<Revision, StoreError> {
    let revision: i64 = row.try_get("", "revision").map_err(classify)?;
    Ok(Revision(revision.cast_unsigned()))
}

fn number_of(row: &QueryResult) -> Result<u32, StoreError> {
    let number: i64 = row.try_get("", "number").map_err(classify)?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}
