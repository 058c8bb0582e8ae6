//! Reads every stored receipt, for audits that compare answers with stored data.

use catchment_domain::ports::{StoreError, VisitReceipt};
use catchment_domain::{Damage, Lane, Receipt};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect,
    QueryTrait,
};

use crate::damaged::{read_row, receipt_of};
use crate::entity::receipt;
use crate::error::classify;
use crate::store::SeaOrmStore;

/// How many receipts are held at a time.
const PAGE: u64 = 100;

impl SeaOrmStore {
    /// Passes all stored receipts to `visit`, by lane, epoch and position, including the receipts
    /// of earlier logs. Returns the receipts that cannot be read.
    pub(crate) async fn visit_all_receipts(
        &self,
        visit: VisitReceipt<'_>,
    ) -> Result<Vec<Damage>, StoreError> {
        let key = [receipt::Column::Lane, receipt::Column::Epoch, receipt::Column::FromPosition];
        let (mut behind, mut damaged) = ((-1, 0, 0), Vec::new());
        loop {
            let (lane, epoch, from) = behind;
            let later = Expr::tuple(key.map(Expr::col)).gt(Expr::tuple([
                Expr::val(lane),
                Expr::val(epoch),
                Expr::val(from),
            ]));
            let mut page = receipt::Entity::find().filter(later).limit(PAGE);
            for column in key {
                page = page.order_by_asc(column);
            }
            let page = page.build(self.readers.get_database_backend());
            let rows = self.readers.query_all_raw(page).await.map_err(classify)?;
            let Some(last) = rows.last() else { return Ok(damaged) };
            behind = key_of(last).map_err(classify)?;
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
