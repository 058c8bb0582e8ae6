//! What a `PostgreSQL` server adds to the contract: opening its databases, those who are in
//! the way, and connections that are lost.

mod losing;
mod opening;
mod roles;
mod storing;
mod waiting;
mod words;
