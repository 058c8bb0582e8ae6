//! Reads every stored receipt, for audits that compare answers with stored data.

use catchment_domain::ports::{StoreError, VisitReceipt};
use catchment_domain::{Damage, Lane, Receipt};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect, QueryTrait,
};

use crate::damaged::{read_row, receipt_of};
use crate::entity::receipt;
use crate::error::classify;
use crate::pages::behind;
use crate::store::SeaOrmStore;

/// How many receipts are held at a time.
const PAGE: u64 = 100;

impl SeaOrmStore {
    /// Passes the stored receipts of a lane, or of all lanes, to `visit`, by lane, epoch and
    /// position, including the receipts of earlier logs. Returns the receipts that cannot be read.
    pub(crate) async fn visit_receipts_of(
        &self,
        lane: Option<Lane>,
        visit: VisitReceipt<'_>,
    ) -> Result<Vec<Damage>, StoreError> {
        let key = [receipt::Column::Lane, receipt::Column::Epoch, receipt::Column::FromPosition];
        let of_lane = lane.map(|lane| receipt::Column::Lane.eq(i32::from(lane.0)));
        let (mut last, mut damaged) = ((-1, 0, 0), Vec::new());
        loop {
            let (lane, epoch, from) = last;
            let later = behind(key, [Expr::val(lane), Expr::val(epoch), Expr::val(from)]);
            let mut page = receipt::Entity::find().filter(later).limit(PAGE);
            page = page.apply_if(of_lane.clone(), QueryFilter::filter);
            for column in key {
                page = page.order_by_asc(column);
            }
            let page = page.build(self.readers.get_database_backend());
            let rows = self.readers.query_all_raw(page).await.map_err(classify)?;
            let Some(end) = rows.last() else { return Ok(damaged) };
            last = key_of(end).map_err(classify)?;
            for row in rows {
                let read = <(Lane, Receipt)>::try_from;
                match read_row::<receipt::Model, _>(&row, receipt_of, read)? {
                    Ok((lane, receipt)) => visit(lane, receipt),
                    Err(damage) => damaged.push(damage),
                }
            }
        }
    }
}

/// Returns the key of a receipt: lane, epoch and position.
fn key_of(row: &QueryResult) -> Result<(i32, i64, i64), DbErr> {
    let (lane, epoch) = (row.try_get("", "lane")?, row.try_get("", "epoch")?);
    Ok((lane, epoch, row.try_get("", "from_position")?))
}
