//! Every receipt there is, for those who compare what was answered with what was stored.

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, Receipt};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::receipt;
use crate::error::classify;
use crate::store::SeaOrmStore;

/// How many receipts are held at a time.
const PAGE: u64 = 100;

impl SeaOrmStore {
    /// Shows all receipts that are still kept, by lane, epoch and position: those of logs that
    /// are gone too. For audits; the services never need them all.
    ///
    /// # Errors
    ///
    /// When the database says so, or holds a receipt that cannot be read.
    pub async fn visit_receipts(
        &self,
        mut visit: impl FnMut(Lane, Receipt) + Send,
    ) -> Result<(), StoreError> {
        let key = [receipt::Column::Lane, receipt::Column::Epoch, receipt::Column::FromPosition];
        let mut behind = (-1, 0, 0);
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
            let rows = page.all(&self.readers).await.map_err(classify)?;
            let Some(last) = rows.last() else { return Ok(()) };
            behind = (last.lane, last.epoch, last.from_position);
            for row in rows {
                let (lane, receipt) = row.try_into()?;
                visit(lane, receipt);
            }
        }
    }
}
