//! What an adapter brings to its exam.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catchment_domain::ports::{
    Acceptances, CampaignLedger, CampaignRepository, CommitLog, Deletions, Moves, Repairs,
    ReplyChannel, ReplyLanes, ReplyLog, RequestChannel, RequestLog, Restores, ShopLedger,
    ShopRepository,
};
use catchment_domain::{
    Epoch, Lane, Lanes, Position, ReplyLane, RequestId, ShopId, StoredItem, Timestamp,
};

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
    /// Deleting campaigns that ended.
    pub deletions: Arc<dyn Deletions>,
    /// What is damaged.
    pub repairs: Arc<dyn Repairs>,
    /// What is changed after the database was restored.
    pub restores: Arc<dyn Restores>,
    /// How the lanes stand, and taking them as they are.
    pub acceptances: Arc<dyn Acceptances>,
    /// Moving the database away from its logs, and to another number of lanes.
    pub moves: Arc<dyn Moves>,
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

    /// Makes a stored item unreadable.
    async fn damage(&self, item: &StoredItem);

    /// Deletes a stored item, and nothing that belongs to it. Returns whether that can be: what a
    /// store keeps in one piece is lost in one piece.
    async fn lose(&self, item: &StoredItem) -> bool;

    /// Deletes the row of a request lane, and none of its receipts.
    async fn lose_lane(&self, lane: Lane);

    /// Writes another epoch into the row of a request lane.
    async fn set_epoch(&self, lane: Lane, epoch: Epoch);

    /// The same database, opened anew as by another process; `None` where nothing outlives
    /// the process.
    async fn reopened(&self) -> Option<Store>;

    /// The same database once it has so many lanes, opened anew where that must be.
    async fn with_lanes(&self, lanes: Lanes) -> Store;

    /// Lets the database learn how many rows it has, as it does by itself after a while: it may
    /// go about a statement in another way then.
    async fn analyze(&self);

    /// How long the database keeps receipts that are answered.
    fn receipts_kept(&self) -> Duration;
}

/// The messaging ports of one log.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct Log {
    /// Where requests are sent.
    pub requests: Arc<dyn RequestChannel>,
    /// Where requests are read.
    pub request_log: Arc<dyn RequestLog>,
    /// What the owners of request lanes have committed.
    pub commits: Arc<dyn CommitLog>,
    /// Where replies are sent.
    pub replies: Arc<dyn ReplyChannel>,
    /// Where replies are read.
    pub reply_log: Arc<dyn ReplyLog>,
}

/// An empty log of its own for each test, with two reply lanes or more.
#[async_trait]
pub trait LogHarness: Send + Sync {
    /// The log.
    fn log(&self) -> Log;

    /// How many request lanes it has.
    fn lanes(&self) -> Lanes;

    /// Appends a record of another domain to a lane, as others do who share the log. Returns
    /// how it is identified; `None` where nobody else writes to this log.
    async fn send_foreign(&self, lane: Lane) -> Option<RequestId>;

    /// Makes the requests of a lane below `next` go, as its retention would. They were released.
    async fn drop_requests(&self, lane: Lane, next: Position);

    /// Makes the replies of a lane below `next` go, as its retention would. They were released.
    async fn drop_replies(&self, lane: ReplyLane, next: Position);

    /// What tells this log from others.
    fn capabilities(&self) -> Capabilities;
}

/// In what logs may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// How many records a request lane takes before it is full; `None` where lanes are never full.
    /// An adapter whose lanes take nothing for another reason tests that by itself.
    pub capacity: Option<usize>,
}
