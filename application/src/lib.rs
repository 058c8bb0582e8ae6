//! The use cases: what a user asks of Catchment, once for every way in.
//!
//! Each use case is a function or a small struct on the ports of the domain, with plain values in
//! and out. The command line, the HTTP API and tests call the same use cases. A use case never
//! reads arguments or writes to a terminal; its [errors](UseCaseError) say what the caller can do.
//! Errors about [lanes](LaneError) are one line for an operator.

pub mod nearest;
mod accept_lanes;
mod audit;
mod call_shop;
mod campaign_outcomes;
mod check_lanes;
mod check_topics;
mod command_campaign;
mod compare_lanes;
mod create_topics;
mod delete_campaigns;
mod error;
mod forecast;
mod import_shops;
mod lane_error;
mod list_campaigns;
mod list_lanes;
mod list_shops;
mod move_topics;
mod page;
mod preview_campaign;
mod progress;
mod progress_hub;
mod release_shop;
mod repair;
mod resolve_scope;
mod restored_database;
mod shop_details;
mod start_campaign;
mod triggers;

pub use accept_lanes::{
    ChosenLanes, LanesToAccept, accept_lanes, embedded_lanes_to_accept, lanes_to_accept,
};
pub use audit::audit;
pub use call_shop::{CallReply, ShopChange, call_shop};
pub use campaign_outcomes::campaign_outcomes;
pub use check_lanes::{LaneStores, check_age, check_database, check_lanes};
pub use check_topics::check_topics;
pub use command_campaign::command_campaign;
pub use compare_lanes::{SeenLane, SeenLanes, SeenReplyLane};
pub use create_topics::{CreatedTopics, create_topics};
pub use delete_campaigns::delete_campaigns;
pub use error::{InvalidField, NotFound, UseCaseError};
pub use forecast::{Forecast, RegionForecast};
pub use import_shops::{ImportFailed, ImportRules, ImportedShops, import_shops};
pub use lane_error::LaneError;
pub use list_campaigns::list_campaigns;
pub use list_lanes::{LaneList, ListedLane, list_lanes};
pub use list_shops::{ListedShop, list_shops};
pub use move_topics::{MoveError, MoveStores, move_topics};
pub use page::Page;
pub use preview_campaign::{
    EndPreview, PreviewPorts, Reach, StartPreview, preview_end, preview_start, reach,
};
pub use progress::{CampaignProgress, Goal, Verdict, campaign_progress};
pub use progress_hub::{BoxFuture, Pace, ProgressHub, Runtime, Subscription};
pub use release_shop::{ShopRelease, release_shop};
pub use repair::{RepairFindings, repair};
pub use resolve_scope::{ResolvedScope, has_shop, resolve_scope};
pub use restored_database::{AfterRestore, restored_database};
pub use shop_details::{Bound, CauseDetails, ShopDetails, shop_details};
pub use start_campaign::{
    CampaignOrder, CampaignPlan, Reason, Until, plan_campaign, start_campaign,
};
pub use triggers::{known_kind, trigger_kinds};
