//! The use cases: what a user asks of Catchment, once for every way in.
//!
//! Each use case is a function or a small struct on the ports of the domain, with plain values in
//! and out. The command line, the HTTP API and tests call the same use cases. A use case never
//! reads arguments, writes to a terminal, or formats text for people; its [errors](UseCaseError) say
//! what the caller can do.

pub mod nearest;
mod accept_lanes;
mod audit;
mod check_lanes;
mod check_topics;
mod compare_lanes;
mod create_topics;
mod error;
mod import_shops;
mod lane_error;
mod list_lanes;
mod list_shops;
mod move_topics;
mod release_shop;
mod repair;
mod restored_database;
mod shop_details;

pub use accept_lanes::{
    ChosenLanes, LanesToAccept, accept_lanes, embedded_lanes_to_accept, lanes_to_accept,
};
pub use audit::{AuditFindings, audit};
pub use check_lanes::{LaneStores, check_age, check_database, check_lanes};
pub use check_topics::check_topics;
pub use compare_lanes::{SeenLane, SeenLanes, SeenReplyLane};
pub use create_topics::{CreatedTopics, create_topics};
pub use error::{InvalidField, NotFound, UseCaseError};
pub use import_shops::{ImportFailed, ImportRules, ImportedShops, import_shops};
pub use lane_error::LaneError;
pub use list_lanes::{LaneList, ListedLane, list_lanes};
pub use list_shops::{ListedShop, ShopPage, list_shops};
pub use move_topics::{MoveError, MoveStores, move_topics};
pub use release_shop::{ShopRelease, release_shop};
pub use repair::{RepairFindings, repair};
pub use restored_database::{AfterRestore, restored_database};
pub use shop_details::{Bound, CauseDetails, ShopDetails, shop_details};
