//! The domain of Catchment: delivery radii of shops, what narrows them, and who is told.
//!
//! Read in this order:
//!
//! 1. A [`Shop`] has a base [`Radius`]. A [`Campaign`] of some [`TriggerKind`] asks for a
//!    [`Limit`] at many shops; at each of them that is a cause ([`ActiveCause`]).
//! 2. [`resolve`] says which of a shop's causes decides its radius: the precedence rule.
//! 3. [`judge()`] applies one [`Request`] to one shop and returns the [`Outcome`] with its
//!    reason; [`judge_batch`] does so for the requests of one [`Lane`] in their order, and
//!    [`check_request`] compares each request with its campaign.
//!    An [`ImportBatch`] brings shops of one lane in.
//! 4. [`Chunk::record`] enters replies in a campaign's ledger; [`Campaign::command`] ends and
//!    retries it.
//! 5. A cause that does not belong at its shop is a [`StrayCause`]; [`release_cause`] ends any
//!    cause by command.
//! 6. Readers leave a damaged item out and name it ([`Damage`]); [`rebuild_chunk`] and
//!    [`rebuild_state`] rebuild it from other stored data.
//! 7. [`ports`] says what adapters must provide, and [`service`] runs on the ports: a
//!    [`LaneConsumer`](service::LaneConsumer) applies and answers, a
//!    [`LaneRequester`](service::LaneRequester) sends and records.
//!
//! Nothing in here does I/O, reads a clock or draws a random number; `service` alone awaits.

mod radius;
mod time;
mod trigger;
mod revision;
mod lane;
mod lease;
mod shop;
mod cause;
mod precedence;
mod request;
mod outcome;
mod judge;
mod batch;
mod import;
mod scope;
mod correlation;
mod campaign;
mod terms;
mod chunk;
mod frozen_list;
mod window;
mod release;
mod proof;
mod damage;
mod repair;
mod restore;
mod mismatch;
mod acceptance;
mod relaning;
mod moving;
pub mod ports;
pub mod service;

pub use acceptance::{
    AcceptTerms, Acceptance, Accepted, AcceptedLane, AcceptedReplyLane, AskedInLanes,
    MovedMeanwhile, PositionRange, Skipped, acceptance_of, ask_in_time,
};
pub use batch::{Batch, Loaded, LoadedShop, Receipt, ReceiptEntry, judge_batch};
pub use campaign::{Campaign, CampaignError, CampaignState, Command, Draft};
pub use cause::{ActiveCause, CauseName, Causes, Effect, Origin, ReleasedCause};
pub use chunk::{
    CHUNK_SHOPS, Chunk, Detail, Lacking, OpenSlots, ShopList, Slot, Tally, lost_chunks,
};
pub use correlation::{Attempt, MAX_SHOPS, Nonce, Phase, Ticket};
pub use damage::{Damage, Found, StoredItem};
pub use frozen_list::FrozenList;
pub use import::{
    ImportBatch, ImportEntry, ImportNumber, ImportOrder, ImportReceipt, ImportRemark, ImportTerms,
    Imported, ShopImport,
};
pub use judge::{LaneTime, MAX_CAUSES, RELEASED_KEPT, judge};
pub use lane::{
    Committed, Epoch, Lane, LaneProgress, Lanes, LogChange, LogIdentity, Position, ReplyLane,
    epoch_after,
};
pub use lease::{LONGEST_LEASE, lease_left};
pub use mismatch::{
    AnyLane, Comparison, LaneProblem, LaneRemains, Mismatch, ReplyLaneRow, RequestLaneLog,
    StoredLane, StoredReplyLane, Unclear, UnclearLane, compare_replies, compare_requests,
    is_whole_topic, outcomes_of,
};
pub use moving::{
    BeforeMove, Behind, LaneBeforeMove, MoveTerms, Moved, NotDrained, OtherLanes,
    ReplyLaneBeforeMove,
};
pub use outcome::{Code, Outcome, Reply, Standing, Status};
pub use precedence::{DecidedBy, Resolution, resolve};
pub use proof::{CauseEnds, Proof, Verdict};
pub use radius::{Limit, LimitError, OpenRadius, Percent, Radius, RadiusError};
pub use relaning::relane;
pub use release::{
    CauseCampaign, Prospect, ReleaseResult, ReleaseTerms, StrayCause, find_stray, is_cause_missing,
    release_cause,
};
pub use repair::{
    ChunkOutline, ChunkRemains, Mended, Repair, RepairTerms, StateRemains, Trace, Unmendable,
    check_campaign, first_places, is_lane_listed, may_have_left_a_cause, misplaced_chunks,
    rebuild_chunk, rebuild_state,
};
pub use request::{Change, Invalid, Replaced, Request, RequestId, RequestRecord, ReturnAddress};
pub use restore::{
    AskedAgain, ForeignLog, Known, NoPlace, OlderDatabase, RestoreTerms, Restored, SeenCampaign,
    SinceBackup, ask_again, can_have_applied, check_committed, check_lanes, check_log,
    reply_lane_after, requests_since_backup,
};
pub use revision::{CampaignId, CampaignRef, Revision, RevisionError};
pub use scope::{Circle, Scope};
pub use shop::{
    Base, Location, LocationError, Profile, Shop, ShopCursor, ShopFingerprint, ShopId, ShopIdError,
    ShopState,
};
pub use terms::{CampaignTerms, Disagreement, LoadedCampaign, check_id, check_request};
pub use time::{Deadline, Timestamp};
pub use trigger::{Policy, Rank, TriggerKind, TriggerKindError, TriggerRule};
pub use window::{Window, WindowLimits};
