use async_trait::async_trait;

use crate::batch::{Batch, Loaded, Receipt};
use crate::damage::Damage;
use crate::lane::{Committed, Epoch, Lane, LaneProgress, LogChange, LogIdentity, Position};
use crate::mismatch::{LaneProblem, Mismatch};
use crate::outcome::Outcome;
use crate::ports::StoreError;
use crate::request::RequestId;
use crate::restore::check_committed;

/// Judges a batch by what was loaded for it: pure, so that a store may call it again.
pub type Decide<'a> = &'a (dyn Fn(&Batch, &mut Loaded) -> Vec<Outcome> + Send + Sync);

/// A function that is called with each receipt and its lane.
pub type VisitReceipt<'a> = &'a mut (dyn FnMut(Lane, Receipt) + Send);

/// Where a lane stands for the owner that claimed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The owner's epoch: higher than any before.
    pub epoch: Epoch,
    /// The next position to apply.
    pub applied_next: Position,
    /// The next position to answer; never above `applied_next`.
    pub replied_next: Position,
    /// The record that was applied last.
    pub last_id: Option<RequestId>,
}

impl Claim {
    /// Returns the claim of a lane's next owner, who reads it in this log.
    ///
    /// 1. In the log that the lane was read in, the owner goes on where the lane stands.
    /// 2. If no record of the log before can be read any more, the owner begins at the start of this
    ///    log. The database never begins a log again that it has `left`.
    /// 3. In every other log, the lane cannot be claimed.
    /// 4. The log must not remember more than the database: see [`check_committed`].
    ///
    /// # Errors
    ///
    /// When the lane cannot be claimed in this log.
    pub fn of_next_owner(
        before: &LaneProgress,
        last_id: Option<RequestId>,
        (log, left): (LogIdentity, &[LogIdentity]),
        committed: Option<Committed>,
    ) -> Result<Self, StoreError> {
        let change = LogChange::between(before.log, log);
        let mismatch = match change {
            LogChange::Other => Some(Mismatch::OtherLog),
            LogChange::Anew if left.iter().any(|left| left.id == log.id) => Some(Mismatch::LeftLog),
            LogChange::Anew | LogChange::Same => None,
        };
        if let Some(mismatch) = mismatch {
            return Err(LaneProblem::of(before.lane, mismatch).into());
        }
        check_committed(before, committed)?;
        // INVARIANT: an epoch that can be read has a next one.
        let epoch = before.epoch.next().unwrap_or(Epoch::LAST);
        let begin = Position(0);
        Ok(match change {
            LogChange::Same => {
                let LaneProgress { applied_next, replied_next, .. } = *before;
                Self { epoch, applied_next, replied_next, last_id }
            }
            LogChange::Anew | LogChange::Other => {
                Self { epoch, applied_next: begin, replied_next: begin, last_id: None }
            }
        })
    }
}

/// The shops, and how far each lane of requests has been applied to them.
///
/// # Promises
///
/// - `apply_is_atomic`: shops, the lane's state and the receipt change together or not at all.
/// - `apply_repeated_is_fenced`: a batch that was applied changes nothing the second time.
/// - `apply_from_elsewhere_is_fenced`: a batch that does not begin where the lane stands
///   changes nothing; so neither a part of a batch that was applied, nor one beyond a hole.
/// - `apply_accepts_gaps`: positions within a batch may have gaps, and the lane goes on behind
///   the last record.
/// - `claim_fences_older_owners`: after a claim, nothing of an older epoch is written.
/// - `claim_has_one_winner`: of any number of owners of one lane at once, only the newest
///   applies.
/// - `apply_sees_the_batch_before_it`: of two batches of one owner at once, the later one has
///   seen what the earlier one stored at every shop, or changes nothing.
/// - `claim_of_an_older_database_is_refused`: as [`check_committed`] says.
/// - `lanes_are_independent`: owners of different lanes do not disturb each other.
/// - `apply_is_seen_by_all`: what was applied is seen by every later call.
/// - `apply_keeps_what_was_decided`: what is read back is what judging left, to the last field.
/// - `apply_judges_by_what_is_stored`: nothing is kept between batches.
/// - `receipts_rebuild_replies`: receipts return each outcome as it was decided.
/// - `receipts_outlast_a_claim`: a new owner finds the receipts of the old one.
/// - `replied_only_rises`: and only for the lane's owner.
/// - `replied_never_passes_applied`: whatever an owner says.
/// - `receipts_are_pruned`: those below what was answered go once they are old enough,
///   others never.
/// - `visit_shows_every_receipt`: also the receipts of earlier owners and of logs that are gone,
///   and the receipts of each lane in the order in which they were stored.
/// - `unreadable_receipt_stands_alone`: a visit names the unreadable receipt, and shows the others.
/// - `expired_mark_only_rises`: the highest deadline treated as passed outlives its batch.
/// - `lasting_log_is_remembered`: once a lasting log is remembered, every other is refused.
/// - `passing_log_starts_anew`: a log that is new with its process starts at the beginning,
///   and keeps what was treated as passed.
/// - `bad_data_is_named`: a batch that meets data that cannot be read changes nothing and is
///   [`StoreError::BadData`].
/// - `orphan_is_no_unknown_shop`: a shop of which nothing is stored but what it is, is bad data.
/// - `unknown_campaigns_are_not_loaded`: only campaigns that are stored count as known.
/// - `campaign_terms_are_loaded`: the terms of a campaign are loaded as they were when the batch
///   was received, or later.
/// - `damaged_campaign_rejects_its_own_requests`: a campaign that cannot be read is loaded as
///   damaged, and the other requests of the batch are judged as usual.
/// - `newest_revision_is_loaded`: the newest revision is loaded as it was when the batch was
///   received, or later.
#[async_trait]
pub trait ShopLedger: Send + Sync + 'static {
    /// Makes the caller the owner of the lane and says where it stands. `committed` is what the
    /// log remembers of the lane.
    async fn claim(
        &self,
        lane: Lane,
        log: LogIdentity,
        committed: Option<Committed>,
    ) -> Result<Claim, StoreError>;

    /// Lets `decide` judge a batch over its shops and stores what it returns, the receipt,
    /// and where the lane stands then; also that everything below `batch.replied` is answered.
    async fn apply(&self, batch: &Batch, decide: Decide<'_>) -> Result<Receipt, StoreError>;

    /// The receipts that hold positions from `from` up to, not including, `to`, in their order.
    async fn receipts(
        &self,
        lane: Lane,
        from: Position,
        to: Position,
    ) -> Result<Vec<Receipt>, StoreError>;

    /// Calls `visit` with every receipt that is kept. Returns the receipts that cannot be read.
    async fn visit_receipts(&self, visit: VisitReceipt<'_>) -> Result<Vec<Damage>, StoreError>;

    /// Stores that everything below `next` is answered.
    async fn replied(&self, lane: Lane, epoch: Epoch, next: Position) -> Result<(), StoreError>;
}
