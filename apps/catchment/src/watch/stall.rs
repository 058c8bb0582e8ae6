//! Tells the user why a campaign may make no progress.

use catchment_domain::ReplyLane;

/// Returns the possible reason, as far as the database shows it: `reply_lane` is that of the
/// campaign.
pub(crate) const fn why_stalled(reply_lane: Option<ReplyLane>, is_embedded: bool) -> &'static str {
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
    fn a_campaign_that_waits_for_a_lane_points_to_the_lanes() {
        let lane = Some(ReplyLane(0));
        for (reply_lane, is_embedded, expected) in
            [(lane, false, true), (None, false, false), (lane, true, false)]
        {
            let said = why_stalled(reply_lane, is_embedded);
            assert_eq!(said.contains("`catchment lanes list`"), expected, "{said}");
        }
    }
}
