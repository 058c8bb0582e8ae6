//! What a run met. A simulator that never meets a situation proves nothing about it.

use std::fmt;

macro_rules! situations {
    ($($name:ident $text:literal,)*) => {
        /// A situation that must occur.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Met { $($name,)* }

        const NAMES: &[&str] = &[$($text,)*];
    };
}

situations! {
    Run "runs",
    Poll "polls",
    Crash "crashes",
    Blackout "crashes of everything",
    PassingRestart "passing logs that began anew",
    Freeze "freezes",
    FencedZombie "thawed processes that were fenced",
    Overlap "two consumers of one lane",
    OrderlyStop "orderly stops",
    DroppedStep "steps that were dropped on their way",
    Unavailable "calls that failed before they were done",
    LostAnswer "calls whose answer was lost",
    ClockForward "clock steps forward",
    ClockBack "clock steps back",
    Truncated "replies lost with their lane",
    StandsStill "lanes that stood still while the others went on",
    FullWindow "steps with all requests under way that may be",
    Copy "copies of older messages",
    Forgery "forged replies",
    Campaign "campaigns",
    End "campaigns ended by command",
    Until "campaigns ended by the time",
    Retry "retries",
    GiveUp "campaigns given up",
    Deletion "campaigns deleted before every message was sent again",
    Replacement "causes released by a replacement",
    Adoption "reply lanes that went to another requester",
    Orphan "reply lanes found without a requester",
    TwoReplyLanes "steps of requesters with two reply lanes",
    Batch "batches",
    SharedShop "batches with two requests for one shop",
    Applied "applied",
    Unchanged "unchanged",
    Superseded "superseded",
    Rejected "rejected",
    Expired "expired",
    ExpiredByMark "expired by the lane's mark alone",
    Repeat "repeats",
    Tombstone "releases that met no cause and left one",
    LeftNothing "releases that met no cause and left nothing",
    Dropped "released causes dropped",
    ReleasedWhileSending "causes released by command while their campaigns were sending",
    ReleasedWhileSettled "causes released by command while their campaigns were settled",
    ReleasedWhileEnding "causes released by command while their campaigns were ending",
    ReleasedOnceEnded "causes released by command once their campaigns had ended",
    ReleasedUnread "causes released by command while their campaigns could not be read",
    ReleasedKind "causes without a campaign released by command",
    ReleasedNothing "releases by command whose cause was not in force",
    KeptOut "activations that came after a release by command",
    ReleasedAlready "releases that came after a release by command",
    CameBack "causes that came back because their release by command was forgotten",
    BadData "requests rejected as bad data",
    Bisected "batches with bad data among others",
    Unreadable "unreadable records",
    Foreign "batches of nothing but records of others",
    WrongLane "records in the wrong lane",
    UnknownCampaign "requests of unknown campaigns",
    OtherId "requests with the ids of other campaigns or of no campaign",
    OtherNonce "requests with other random numbers than their campaigns'",
    OtherPhase "requests with the ids of the other phase",
    OtherAttempt "requests of attempts that never began",
    OtherPlace "requests with places behind the end of the list",
    OtherKind "requests with other kinds than their campaigns'",
    OtherLimit "requests with other limits than their campaigns'",
    OtherReplaced "requests that replace other campaigns than theirs",
    OtherDeadline "requests with other deadlines than their campaigns'",
    EarlyRelease "releases of campaigns that were not ended",
    OtherShop "copies of a request that took effect at another shop of the list",
    Unlisted "copies of an activation that took effect at shops outside of the list",
    UnlistedRelease "copies of a release that met no cause at shops outside of the list",
    NotListed "causes found at shops outside of their campaigns' lists",
    NotReleased "causes found of campaigns that have ended",
    LateActivation "activations of ended campaigns, at shops without a trace of them",
    ReservedId "requests without a campaign that have a campaign's id",
    UnknownRevision "base radii of revisions that were never given out",
    UnknownShop "requests for unknown shops",
    KindWithoutCampaign "requests without a campaign",
    BaseSet "base radii set by request",
    Import "imports",
    NewerBase "base radii of imports that did not replace newer ones",
    Overruled "base radii of overruling imports",
    ImportWhileSending "imports of shops that a campaign waited for",
    ImportWhileEnding "imports of shops that an end waited for",
    Rebuilt "replies rebuilt from receipts",
    RejectedThenApplied "rejected first and applied then",
    Echo "runs whose every message was sent again at the end",
}

/// How often each situation occurred.
#[derive(Clone)]
pub(crate) struct Coverage([u64; NAMES.len()]);

impl Default for Coverage {
    fn default() -> Self {
        Self([0; NAMES.len()])
    }
}

impl Coverage {
    pub(crate) fn met(&mut self, situation: Met) {
        self.add(situation, 1);
    }

    pub(crate) fn add(&mut self, situation: Met, count: u64) {
        self.0[situation as usize] += count;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, others) in self.0.iter_mut().zip(other.0) {
            *mine += others;
        }
    }

    /// What never occurred.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        NAMES.iter().zip(self.0).filter(|(_, count)| *count == 0).map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in NAMES.iter().zip(self.0) {
            writeln!(f, "{count:>12} {name}")?;
        }
        Ok(())
    }
}
