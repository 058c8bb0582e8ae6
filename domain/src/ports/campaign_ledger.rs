use async_trait::async_trait;

use crate::campaign::Campaign;
use crate::chunk::{Chunk, OpenSlots, ShopList};
use crate::correlation::{Attempt, Phase, Ticket};
use crate::damage::{Damage, Found};
use crate::lane::{Lane, Position, ReplyLane};
use crate::outcome::Outcome;
use crate::ports::{Lease, StoreError};
use crate::restore::can_have_applied;
use crate::revision::Revision;

/// A chunk without its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSummary {
    /// Its number in the campaign.
    pub number: u32,
    /// The lane of its shops.
    pub lane: Lane,
    /// The place of its first shop in the campaign's list.
    pub first: u32,
    /// How many shops.
    pub shops: u32,
    /// How many activations and releases have no outcome.
    pub open: u32,
}

impl ChunkSummary {
    /// The place behind its last shop in the campaign's list.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.first.saturating_add(self.shops)
    }
}

/// A reply that names a place in a campaign's list, and the shop that stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of the chunk.
    pub chunk: u32,
    /// What the request's id says.
    pub ticket: Ticket,
    /// What became of the request.
    pub outcome: Outcome,
    /// The position of the request in the lane of its chunk, or `None` if the replier did not name
    /// it.
    pub request_position: Option<Position>,
}

impl Answer {
    /// Enters answers in a chunk of a campaign, in their order. Returns the campaign as it is then,
    /// and how many answers counted. `applied_next` is the next position to apply in the chunk's
    /// lane, if that can be read.
    ///
    /// 1. An answer counts only if the database [can have applied](can_have_applied) its request.
    /// 2. It counts as [`Chunk::record`] says.
    pub fn record_all(
        answers: &[&Self],
        chunk: &mut Chunk,
        campaign: &Campaign,
        applied_next: Option<Position>,
    ) -> (Campaign, u32) {
        let (before, mut counted) = (chunk.lacking(), 0);
        for answer in answers {
            if can_have_applied(applied_next, answer.request_position) {
                counted += u32::from(chunk.record(campaign, answer.ticket, &answer.outcome));
            }
        }
        (campaign.clone().recorded(before, chunk.lacking()), counted)
    }
}

/// What recording answers did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How many counted.
    pub counted: u32,
    /// The campaigns that were touched, as they are now.
    pub campaigns: Vec<Campaign>,
    /// For each chunk that was touched (campaign, number), how many slots are open now.
    pub open: Vec<(Revision, u32, OpenSlots)>,
    /// What was damaged, so that answers did not count.
    pub damaged: Vec<Damage>,
}

/// The campaigns of one reply lane and their outcomes, for the requester that leases it.
///
/// Everything that writes is done only while the lease's epoch is the lane's.
///
/// # Promises
///
/// - `open_takes_campaigns_of_nobody`: a campaign without a reply lane goes to the first that
///   asks, and to no other.
/// - `open_ends_what_is_over`: a campaign past its `until` is ending.
/// - `open_ends_what_was_replaced`: once its successor is through, at the shops where that did
///   not take effect.
/// - `mark_sent_comes_before_an_end`: what is marked is released by a later end; what a
///   campaign's end found unmarked cannot be marked any more.
/// - `mark_sent_and_an_end_agree`: also when they come at once.
/// - `mark_sent_is_fenced`: an older lease marks nothing.
/// - `record_is_atomic`: outcomes and the lane's position change together or not at all.
/// - `record_is_fenced`: an older lease records nothing.
/// - `record_from_elsewhere_is_fenced`: answers count only if they were read from the position at
///   which the lane stands. Otherwise a commit's answer was lost, or the database was restored.
/// - `record_counts_only_what_was_applied`: an answer counts only as
///   [`can_have_applied`] says: the database of the moment in which it is
///   recorded must have applied its request. So nothing counts that a restored database does not
///   have.
/// - `lanes_keep_to_their_campaigns`: for a campaign of another reply lane nothing is marked,
///   and no answer counts.
/// - `record_goes_by_the_rules`: answers count as [`Chunk::record`] says, and a campaign
///   without open slots is settled or ended.
/// - `record_counts_only_what_was_sent`: an answer to an activation counts only if its chunk was
///   marked in the attempt of the answer or in a later attempt.
/// - `record_and_an_end_agree`: when they come at once, neither undoes the other.
/// - `damaged_campaign_stands_alone`: it is named, nothing of it is marked or recorded, and the
///   other campaigns of the lane go on.
/// - `damaged_names_every_campaign`: also one that is alone in its lane, and one that was settled.
///   `open` names the first, and need not look at the second.
/// - `damaged_outcomes_stand_alone`: those of a chunk are named, nothing of it is marked or
///   recorded, and the other chunks go on. Its campaign is not ended meanwhile.
/// - `lost_outcomes_stand_alone`: a chunk without a row of outcomes is damaged, too. Every query of
///   the campaign names it, and the campaign is neither ended nor commanded meanwhile.
/// - `damaged_list_stands_alone`: the shops of a chunk are named, and the other chunks go on.
/// - `record_is_seen_by_all`: tallies, outcomes and summaries agree with what was recorded.
#[async_trait]
pub trait CampaignLedger: Send + Sync + 'static {
    /// Takes over the campaigns that have no reply lane, ends what is over, and returns the campaigns of
    /// the lane that have open slots, the oldest first.
    async fn open(&self, lease: &Lease) -> Result<Found<Vec<Campaign>>, StoreError>;

    /// Returns the damage of the unfinished campaigns that belong to this lane or to no lane. This
    /// reads all of them, so do not call it on every look.
    async fn damaged(&self, lane: ReplyLane) -> Result<Vec<Damage>, StoreError>;

    /// The chunks of a campaign in the order of their numbers; none for one that is not there.
    async fn chunks(&self, revision: Revision) -> Result<Found<Vec<ChunkSummary>>, StoreError>;

    /// The shops of chunks, in any order; without those that are not there.
    async fn lists(
        &self,
        revision: Revision,
        numbers: &[u32],
    ) -> Result<Found<Vec<(u32, ShopList)>>, StoreError>;

    /// Stores that these chunks may have been sent, and returns them, in any order, as they
    /// stand in that moment; none, and nothing is stored, where the campaign is not in this phase and
    /// attempt any more, or its activations may not be sent.
    async fn mark_sent(
        &self,
        lease: &Lease,
        revision: Revision,
        part: (Phase, Attempt),
        numbers: &[u32],
    ) -> Result<Found<Vec<Chunk>>, StoreError>;

    /// Enters answers, in the order in which they were read, and moves the lane from the lease's
    /// position to this one. Fails as fenced where the lane has another position.
    async fn record(
        &self,
        lease: &Lease,
        to: Position,
        answers: &[(Revision, Answer)],
    ) -> Result<Recorded, StoreError>;
}
