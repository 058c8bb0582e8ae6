//! Applying a batch of requests: the hot path.

use std::iter;

use catchment_domain::ports::{Decide, StoreError};
use catchment_domain::{
    Batch, CampaignId, CampaignRef, Deadline, LaneTime, Loaded, LoadedShop, Receipt, Revision,
    ShopState, Timestamp,
};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement};

use crate::codec;
use crate::connection::OwnConnection;
use crate::entity::{campaign, lane_state};
use crate::error::{Row, classify, stored};
use crate::shop_rows::{self, LoadedStates};
use crate::store::{SeaOrmStore, statement};

impl SeaOrmStore {
    /// Applies a batch in one transaction.
    pub(crate) async fn apply_batch(
        &self,
        batch: &Batch,
        decide: Decide<'_>,
    ) -> Result<Receipt, StoreError> {
        let (known, ahead) = self.read_ahead(batch).await;
        let transaction = self.begin().await?;
        let applying = Applying { store: self, connection: transaction.connection()?, batch };
        let (mark, imports) = applying.move_lane().await?;
        let time = LaneTime { now: self.now(), expired_up_to: mark };
        let shops = match ahead.filter(|ahead| ahead.is_still_true(batch, imports)) {
            Some(ahead) => ahead.states,
            None => applying.load_states().await?,
        };
        let shops = shops.into_iter().map(LoadedShop::new).collect();
        let mut loaded = Loaded { time, campaigns: applying.load_campaigns(known).await?, shops };
        let outcomes = decide(batch, &mut loaded);
        let receipt = Receipt::new(batch, outcomes);
        applying.store(&loaded.shops, &receipt, time.now).await?;
        applying.store_mark(mark, loaded.time.expired_up_to).await?;
        applying.prune_receipts(time.now).await?;
        transaction.commit().await?;
        Ok(receipt)
    }

    /// Reads what a batch needs before its transaction, while another lane's is under way: only
    /// one writes at a time. What cannot be read is read again in the transaction.
    async fn read_ahead(&self, batch: &Batch) -> (Option<Vec<CampaignRef>>, Option<LoadedStates>) {
        let known = known_campaigns(&self.readers, batch.campaigns()).await;
        let states = shop_rows::load(&self.readers, self.dialect, batch.lane, batch.shops()).await;
        (known.ok(), states.ok())
    }
}

/// Those of the campaigns that the database knows, by revision and id together.
async fn known_campaigns(
    connection: &impl ConnectionTrait,
    mut wanted: Vec<CampaignRef>,
) -> Result<Vec<CampaignRef>, StoreError> {
    if wanted.is_empty() {
        return Ok(wanted);
    }
    let revisions = wanted.iter().map(|campaign| stored(campaign.revision.0));
    let known: Vec<(i64, String)> = campaign::Entity::find()
        .select_only()
        .column(campaign::Column::Revision)
        .column(campaign::Column::Id)
        .filter(campaign::Column::Revision.is_in(revisions))
        .into_tuple()
        .all(connection)
        .await
        .map_err(classify)?;
    let known = known.into_iter().map(|(revision, id)| {
        let row = Row { table: "campaign", key: &format_args!("revision {revision}") };
        let revision = Revision(row.number("revision", revision)?);
        Ok(CampaignRef { revision, id: CampaignId(row.text("id", &id)?) })
    });
    let known = known.collect::<Result<Vec<_>, StoreError>>()?;
    wanted.retain(|campaign| known.contains(campaign));
    Ok(wanted)
}

impl LoadedStates {
    /// Whether the shops are still what was read. Only batches of their lane and imports write
    /// them: a lane that stands where it stood, as the move of the lane has made sure, had no
    /// batch, and as many imports as before are no import.
    fn is_still_true(&self, batch: &Batch, imports: i64) -> bool {
        self.imports == imports && self.applied_next == Some(stored(batch.from.0))
    }
}

/// A batch within its transaction.
struct Applying<'a> {
    store: &'a SeaOrmStore,
    connection: &'a OwnConnection,
    batch: &'a Batch,
}

impl Applying<'_> {
    /// Moves the lane on, which fails where another owner took over or where the batch does
    /// not begin where the lane stands. Returns what the lane treated as passed, and how
    /// many imports there were.
    async fn move_lane(&self) -> Result<(Deadline, i64), StoreError> {
        let batch = self.batch;
        let values = [
            i32::from(batch.lane.0).into(),
            stored(batch.epoch.0).into(),
            stored(batch.from.0).into(),
            stored(batch.to().0).into(),
            stored(batch.replied.0).into(),
            batch.last_id().map(|id| id.to_string()).into(),
        ];
        let moved = statement(self.connection, self.store.dialect.move_lane, values);
        let row = self.connection.query_one_raw(moved).await.map_err(classify)?;
        let row = row.ok_or(StoreError::Fenced)?;
        let mark = lane_state::mark(row.try_get_by_index(0).map_err(classify)?);
        Ok((mark, row.try_get_by_index(1).map_err(classify)?))
    }

    /// Which of the batch's campaigns the database knows. One that it knew a moment ago it
    /// still knows.
    async fn load_campaigns(
        &self,
        known: Option<Vec<CampaignRef>>,
    ) -> Result<Vec<CampaignRef>, StoreError> {
        let wanted = self.batch.campaigns();
        match known.filter(|known| known.len() == wanted.len()) {
            Some(known) => Ok(known),
            None => known_campaigns(self.connection, wanted).await,
        }
    }

    async fn load_states(&self) -> Result<Vec<Option<ShopState>>, StoreError> {
        let (dialect, batch) = (self.store.dialect, self.batch);
        let loaded = shop_rows::load(self.connection, dialect, batch.lane, batch.shops()).await;
        loaded.map(|loaded| loaded.states)
    }

    /// Stores the shops that were changed, and the receipt.
    async fn store(
        &self,
        shops: &[LoadedShop],
        receipt: &Receipt,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let changed = self.batch.shops().iter().zip(shops).filter(|(_, shop)| shop.changed);
        let changed: Vec<_> =
            changed.filter_map(|(id, shop)| Some((id, shop.state.as_ref()?))).collect();
        let (dialect, lane) = (self.store.dialect, self.batch.lane);
        let shops = shop_rows::store_statements(self.connection, dialect, lane, &changed);
        let receipt = iter::once_with(|| self.receipt_statement(receipt, now));
        shop_rows::run_all(self.connection, shops.chain(receipt.flatten())).await
    }

    fn receipt_statement(&self, receipt: &Receipt, now: Timestamp) -> Option<Statement> {
        if receipt.entries.is_empty() {
            return None;
        }
        let values = [
            i32::from(self.batch.lane.0).into(),
            stored(self.batch.epoch.0).into(),
            stored(receipt.from.0).into(),
            stored(receipt.to.0).into(),
            now.millis().into(),
            codec::receipt::encode(receipt.from, &receipt.entries).into(),
        ];
        Some(statement(self.connection, self.store.dialect.insert_receipt, values))
    }

    /// Remembers what was treated as passed, where that is more than before.
    async fn store_mark(&self, before: Deadline, after: Deadline) -> Result<(), StoreError> {
        if after <= before {
            return Ok(());
        }
        lane_state::Entity::update_many()
            .col_expr(lane_state::Column::ExpiredUpTo, Expr::value(after.instant().millis()))
            .filter(lane_state::Column::Lane.eq(i32::from(self.batch.lane.0)))
            .exec(self.connection)
            .await
            .map(drop)
            .map_err(classify)
    }

    async fn prune_receipts(&self, now: Timestamp) -> Result<(), StoreError> {
        let kept = i64::try_from(self.store.settings.receipts_kept.as_millis());
        let before = now.millis().saturating_sub(kept.unwrap_or(i64::MAX));
        let values = [i32::from(self.batch.lane.0).into(), before.into()];
        let prune = statement(self.connection, self.store.dialect.prune_receipts, values);
        self.connection.execute_raw(prune).await.map(drop).map_err(classify)
    }
}
