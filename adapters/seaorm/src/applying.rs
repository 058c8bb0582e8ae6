//! Applying a batch of requests, in one transaction.

use catchment_domain::ports::{Decide, StoreError};
use catchment_domain::{Batch, Receipt, Timestamp};

use crate::hot_path::Judged;
use crate::store::SeaOrmStore;

impl SeaOrmStore {
    /// Applies a batch in one transaction.
    pub(crate) async fn apply_batch(
        &self,
        batch: &Batch,
        decide: Decide<'_>,
    ) -> Result<Receipt, StoreError> {
        let path = self.dialect.hot_path;
        let ahead = path.read_ahead(self, batch).await;
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let mut loaded = path.open(self, connection, batch, ahead).await?;
        let (now, mark) = (loaded.time.now, loaded.time.expired_up_to);
        let receipt = Receipt::new(batch, decide(batch, &mut loaded));
        let changed = batch.shops().iter().zip(&loaded.shops).filter(|(_, shop)| shop.changed);
        let judged = Judged {
            batch,
            changed: changed.filter_map(|(id, shop)| Some((id, shop.state.as_ref()?))).collect(),
            receipt: &receipt,
            now,
            mark: Some(loaded.time.expired_up_to).filter(|after| mark < *after),
            kept_from: self.kept_from(now),
        };
        path.close(connection, &judged).await?;
        transaction.commit().await?;
        Ok(receipt)
    }

    /// The instant before which receipts were stored that are old enough to go.
    fn kept_from(&self, now: Timestamp) -> Timestamp {
        let kept = i64::try_from(self.settings.receipts_kept.as_millis());
        Timestamp::from_millis(now.millis().saturating_sub(kept.unwrap_or(i64::MAX)))
    }
}
