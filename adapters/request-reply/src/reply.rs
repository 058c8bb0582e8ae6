//! The parts of a reply path: where replies may go, who gets none, and what is sent instead.
//!
//! [`Replier`](crate::replier::Replier) is made of them, and so is a program that keeps its
//! positions itself. [`ReplyPath`] finds routes, dead-letters requests and sends; [`ReplyEvents`]
//! is what each program does in its own way.

mod address;
mod allowed;
mod dead_letter_cache;
mod dead_letters;
mod outbox;
mod path;
mod routes;

pub use crate::throttle::LogThrottle;
pub use address::{Destination, Place, ReturnAddress};
pub use allowed::AllowedTopics;
pub use dead_letter_cache::DeadLetterCache;
pub use dead_letters::DeadLetters;
pub use outbox::Outbox;
pub use path::{ReplyError, ReplyEvent, ReplyEvents, ReplyPath};
pub use routes::{Route, Senders, Undeliverable};
