//! Ports: what the services need of the world. Each promise has a test of its name in
//! `catchment-contract`, which every adapter passes.

mod acceptances;
mod call_channel;
mod campaign_ledger;
mod campaign_repository;
mod channel;
mod clock;
mod cluster;
mod deletions;
mod log;
mod moves;
mod repairs;
mod reply_lanes;
mod restores;
mod shop_ledger;
mod shop_repository;
mod store_error;

pub use acceptances::Acceptances;
pub use call_channel::{CallChannel, CallError};
pub use campaign_ledger::{Answer, CampaignLedger, ChunkSummary, Recorded};
pub use campaign_repository::{
    CampaignRepository, CommandError, OutcomeFilter, ShopOutcome, Tallies,
};
pub use channel::{ChannelError, ReplyChannel, RequestChannel};
pub use clock::Clock;
pub use cluster::{
    Cluster, ConsumerGroup, InspectionError, LogInspection, LogProblem, LogProblemKind, Topics,
    VisitRequest, Wanted,
};
pub use deletions::Deletions;
pub use log::{CommitLog, LogError, ReplyLog, ReplyRecord, RequestLog, Stretch};
pub use moves::Moves;
pub use repairs::Repairs;
pub use reply_lanes::{Holder, Lease, ReplyLanes};
pub use restores::Restores;
pub use shop_ledger::{Claim, Decide, ShopLedger, VisitReceipt};
pub use shop_repository::{ShopGroup, ShopRepository, VisitImportReceipt};
pub use store_error::{BoxError, StoreError};
