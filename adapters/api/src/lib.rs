//! What programs read and write: the JSON of `--json`, of the HTTP API and of its clients.
//!
//! Each thing has one struct here, in the words and units of the wire: fields in camelCase, radii in
//! whole metres, limits as objects such as `{"metres":3000}`, instants in RFC 3339 with a zone,
//! durations in seconds. A value that does not exist is `null`; the fields of a [`Standing`] that does
//! not exist are missing, and so is a status that no shop has in [`Counts`]. The crate knows no command
//! line and no HTTP.

mod audit;
mod call;
mod campaign;
mod damage;
mod databases;
mod decided_by;
mod demo;
mod import;
mod lanes;
mod outcome;
mod preview;
mod release;
mod repair;
mod setting;
mod shop;
mod topics;
mod trigger;
mod units;

pub use audit::{Audit, Difference, Stray, StrayCause, UnknownBase};
pub use call::CallReply;
pub use campaign::{
    Campaign, CampaignDeletion, CampaignSummary, Counts, KeptCampaign, Progress, StartedCampaign,
    counts,
};
pub use damage::{Damage, StoredItem};
pub use databases::{
    DatabaseChecked, DatabaseCopy, DatabaseMigrated, DatabaseReplaced, DatabaseRestored,
    RecordsGone,
};
pub use decided_by::DecidedBy;
pub use demo::{Act, Demo};
pub use import::{BadRow, ImportResult, KeptBase};
pub use lanes::{
    AcceptedCampaigns, CampaignAskedAgain, GivenUp, Lane, LaneKind, LanesAccepted, Positions,
    ReplyLaneAccepted, RequestLaneAccepted,
};
pub use outcome::Outcome;
pub use preview::{Preview, RegionPreview};
pub use release::{Prospect, ReleaseResult, Standing};
pub use repair::{Mended, RepairFinding, RepairSummary};
pub use setting::Setting;
pub use shop::{Cause, Shop, ShopWithCauses};
pub use topics::{BeforeAndNow, Moved, Topic, TopicsChecked};
pub use trigger::Trigger;
pub use units::{Limit, instant, seconds};
