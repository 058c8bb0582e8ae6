//! Sender, reader and topics on a real broker.

mod fixture;
mod group;
mod held_up;
mod outage;
mod reader;
mod replier;
mod sender;
mod topics;
