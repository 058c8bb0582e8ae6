use crate::time::Timestamp;

/// The time of this process, for pacing. It decides nothing about requests: their deadlines
/// are set and judged by the database's clock.
pub trait Clock: Send + Sync + 'static {
    /// Now. May step back.
    fn now(&self) -> Timestamp;
}
