//! What an adapter brings to its exam.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{
    CampaignLedger, CampaignRepository, ReplyLanes, ShopLedger, ShopRepository,
};
use catchment_domain::{ShopId, Timestamp};

/// The storage ports of one database.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct Store {
    /// The shops, for those who ask about them and bring them in.
    pub shops: Arc<dyn ShopRepository>,
    /// The shops and lanes, for consumers.
    pub ledger: Arc<dyn ShopLedger>,
    /// The campaigns, for those who start and follow them.
    pub campaigns: Arc<dyn CampaignRepository>,
    /// The campaigns, for requesters.
    pub campaign_ledger: Arc<dyn CampaignLedger>,
    /// Who reads which reply lane.
    pub reply_lanes: Arc<dyn ReplyLanes>,
}

/// An empty database of its own for each test.
#[async_trait]
pub trait StoreHarness: Send + Sync {
    /// The database. Each call may return another connection to it.
    fn store(&self) -> Store;

    /// The time by the database's clock, which stands still but for the two below.
    fn now(&self) -> Timestamp;

    /// Puts the database's clock forward.
    fn advance(&self, duration: Duration);

    /// Puts the database's clock back.
    fn step_back(&self, duration: Duration);

    /// Makes the stored causes of a shop unreadable.
    async fn corrupt(&self, shop: &ShopId);

    /// The same database, opened anew as by another process; `None` where nothing outlives
    /// the process.
    async fn reopened(&self) -> Option<Store>;

    /// How long the database keeps receipts that are answered.
    fn receipts_kept(&self) -> Duration;
}
