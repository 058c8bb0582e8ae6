//! The use cases, called as a way in calls them, on a store in memory.
#![expect(clippy::unwrap_used, reason = "a step that a test builds on must work")]

mod shops;
