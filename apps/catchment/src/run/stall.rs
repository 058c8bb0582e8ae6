//! Notices when a campaign makes no progress, so that the user does not wait for nothing.

use std::time::{Duration, Instant};

use catchment_domain::ReplyLane;

/// How long there may be no progress before the user is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of open shops at the last change, and the time of that change.
pub(crate) struct Stall {
    open: u32,
    since: Instant,
    is_told: bool,
}

impl Stall {
    /// Starts without a number of open shops.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { open: 0, since: now, is_told: false }
    }

    /// Returns whether to tell the user now that there is no progress: once for each stall.
    pub(crate) fn is_noticed(&mut self, open: u32, now: Instant) -> bool {
        if self.open != open {
            *self = Self { open, since: now, is_told: false };
        }
        let is_stalled = 0 < open && PATIENCE <= now.duration_since(self.since);
        is_stalled && !std::mem::replace(&mut self.is_told, is_stalled)
    }
}

/// Returns the possible reason, as far as the database shows it: `reply_lane` is that of the
/// campaign.
pub(crate) const fn why(reply_lane: Option<ReplyLane>, is_embedded: bool) -> &'static str {
    if is_embedded {
        return "no answer for 10 s: a full disk or a process that holds the database may be \
                why; going on as soon as that is over";
    }
    match reply_lane {
        None => {
            "no answer for 10 s: no requester has taken the campaign; does one run on this \
             database? It goes on as soon as one does"
        }
        Some(_) => {
            "no answer for 10 s: a requester has taken the campaign; do that and a consumer \
             still run, do they reach Kafka, and does `catchment lanes list` show a problem? It \
             goes on as soon as that is over"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_told_once_until_something_moves() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut stall = Stall::new(start);
        let told = [(0, 9), (1, 7), (9, 7), (11, 7), (12, 7), (13, 6), (22, 6), (23, 6), (40, 0)]
            .map(|(seconds, open)| stall.is_noticed(open, at(seconds)));
        assert_eq!(told, [false, false, false, true, false, false, false, true, false]);
    }

    #[test]
    fn a_campaign_that_waits_for_a_lane_points_to_the_lanes() {
        let lane = Some(ReplyLane(0));
        for (reply_lane, is_embedded, expected) in
            [(lane, false, true), (None, false, false), (lane, true, false)]
        {
            let said = why(reply_lane, is_embedded);
            assert_eq!(said.contains("`catchment lanes list`"), expected, "{said}");
        }
    }
}
