//! Every receipt there is, for those who compare what was answered with what was stored.

use catchment_domain::ports::StoreError;
use catchment_domain::{Lane, Receipt};
use sea_orm::{EntityTrait, QueryOrder};

use crate::entity::receipt;
use crate::error::classify;
use crate::store::SeaOrmStore;

impl SeaOrmStore {
    /// All receipts that are still kept, by lane, epoch and position: those of logs that are
    /// gone too. For audits of a database at rest; the services never need them all.
    ///
    /// # Errors
    ///
    /// When the database says so, or holds a receipt that cannot be read.
    pub async fn all_receipts(&self) -> Result<Vec<(Lane, Receipt)>, StoreError> {
        let rows = receipt::Entity::find()
            .order_by_asc(receipt::Column::Lane)
            .order_by_asc(receipt::Column::Epoch)
            .order_by_asc(receipt::Column::FromPosition)
            .all(&self.readers)
            .await
            .map_err(classify)?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
