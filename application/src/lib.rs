//! The use cases: what a user asks of Catchment, once for every way in.
//!
//! Each use case is a function or a small struct on the ports of the domain, with plain values in
//! and out. The command line, the HTTP API and tests call the same use cases. A use case never
//! reads arguments, writes to a terminal, or formats text for people; its [errors](UseCaseError) say
//! what the caller can do.

pub mod nearest;
mod audit;
mod error;
mod import_shops;
mod list_shops;
mod release_shop;
mod repair;
mod shop_details;

pub use audit::{AuditFindings, audit};
pub use error::{InvalidField, NotFound, UseCaseError};
pub use import_shops::{ImportFailed, ImportRules, ImportedShops, import_shops};
pub use list_shops::{ListedShop, ShopPage, list_shops};
pub use release_shop::{ShopRelease, release_shop};
pub use repair::{RepairFindings, repair};
pub use shop_details::{Bound, CauseDetails, ShopDetails, shop_details};
