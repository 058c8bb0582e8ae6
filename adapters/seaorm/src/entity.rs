//! The tables. Stored rows are checked like any other input: each row becomes a value of the domain
//! by `TryFrom`, which names table, column and row of a value that cannot be read.

pub(crate) mod campaign;
pub(crate) mod campaign_chunk;
pub(crate) mod campaign_deleted;
pub(crate) mod campaign_list;
pub(crate) mod import_receipt;
pub(crate) mod installation;
pub(crate) mod lane_state;
pub(crate) mod left_log;
pub(crate) mod receipt;
pub(crate) mod reply_lane;
pub(crate) mod shop;
pub(crate) mod shop_state;
