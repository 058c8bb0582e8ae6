//! The rules from outside: as tables, as scenarios, and as properties against naive versions.
#![expect(clippy::unwrap_used, reason = "what is written in a test is known to be right")]
#![expect(clippy::indexing_slicing, reason = "places are drawn from what is there")]

mod acceptance;
mod allocations;
mod answers;
mod batch;
mod campaign;
mod claim;
mod frozen_list;
mod import;
mod judge;
mod mismatch;
mod moving;
mod precedence;
mod proof;
mod release;
mod repair;
mod restore;
mod requests;
mod scope;
mod stored_campaigns;
mod terms;
mod window;
