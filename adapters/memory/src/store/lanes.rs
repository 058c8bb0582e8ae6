//! The state of each lane, and its receipts.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use catchment_domain::ports::{Claim, StoreError};
use catchment_domain::{
    Acceptance, AcceptedLane, Batch, Committed, Damage, Deadline, Epoch, ImportNumber,
    ImportReceipt, Lane, LaneProblem, LaneProgress, LaneRemains, LogIdentity, Mismatch, Position,
    Receipt, RequestId, StoredItem, StoredLane, Timestamp,
};

use super::campaigns::damage;

/// A lane.
#[derive(Clone)]
pub(super) struct LaneRow {
    /// The lane's log, or `None` until the lane is claimed.
    pub(super) log: Option<LogIdentity>,
    pub(super) epoch: Epoch,
    pub(super) applied_next: Position,
    pub(super) replied_next: Position,
    pub(super) last_id: Option<RequestId>,
    pub(super) expired_up_to: Deadline,
    /// Receipts in the order of storing.
    pub(super) receipts: VecDeque<ReceiptRow>,
    /// The newest import of the lane's shops.
    imports: ImportNumber,
    /// Receipts of imports in the order of storing.
    pub(super) import_receipts: VecDeque<ImportReceipt>,
    /// The imports whose receipts cannot be read; see `MemoryStore::spoil_import`.
    pub(super) spoiled_imports: BTreeSet<ImportNumber>,
    /// Whether everything but the receipts is gone; see `MemoryStore::lose_lane`.
    pub(super) is_lost: bool,
}

/// A receipt.
#[derive(Clone)]
pub(super) struct ReceiptRow {
    /// The log of the receipt's positions.
    pub(super) log: LogIdentity,
    /// The owner that stored it.
    epoch: Epoch,
    pub(super) at: Timestamp,
    pub(super) receipt: Receipt,
    /// Whether the receipt cannot be read; see `MemoryStore::spoil_receipt`.
    pub(super) is_spoiled: bool,
}

impl ReceiptRow {
    /// Returns the receipt of a lane, if it can be read.
    pub(super) fn read(&self, lane: Lane) -> Result<&Receipt, Damage> {
        let item = StoredItem::Receipt(lane, self.receipt.from);
        if self.is_spoiled { Err(damage(item)) } else { Ok(&self.receipt) }
    }
}

impl LaneRow {
    /// Makes a lane that was never claimed.
    pub(super) fn new() -> Self {
        Self {
            log: None,
            epoch: Epoch::default(),
            applied_next: Position::default(),
            replied_next: Position::default(),
            last_id: None,
            expired_up_to: Deadline::MIN,
            receipts: VecDeque::new(),
            imports: ImportNumber::default(),
            import_receipts: VecDeque::new(),
            spoiled_imports: BTreeSet::new(),
            is_lost: false,
        }
    }

    /// Loses everything but the receipts.
    pub(super) fn lose(&mut self) {
        let Self { receipts, import_receipts, spoiled_imports, .. } =
            std::mem::replace(self, Self::new());
        let is_lost = true;
        *self = Self { receipts, import_receipts, spoiled_imports, is_lost, ..Self::new() };
    }

    /// What is wrong with the row.
    pub(super) fn mismatch(&self) -> Option<Mismatch> {
        if self.is_lost {
            return Some(Mismatch::NoRow);
        }
        let what = || format!("the epoch {} is out of range", self.epoch);
        self.epoch.next().is_none().then(|| Mismatch::UnreadableRow { what: what() })
    }

    /// Gives the lane to a new owner: see [`Claim::of_next_owner`].
    pub(super) fn claim(
        &mut self,
        lane: Lane,
        (log, left): (LogIdentity, &[LogIdentity]),
        committed: Option<Committed>,
    ) -> Result<Claim, StoreError> {
        if let Some(mismatch) = self.mismatch() {
            return Err(LaneProblem::of(lane, mismatch).into());
        }
        let before = self.progress(lane);
        let claim = Claim::of_next_owner(&before, self.last_id, (log, left), committed)?;
        let Claim { epoch, applied_next, replied_next, last_id } = claim;
        self.log = Some(log);
        (self.epoch, self.last_id) = (epoch, last_id);
        (self.applied_next, self.replied_next) = (applied_next, replied_next);
        Ok(claim)
    }

    /// Returns how far the lane was applied and answered.
    pub(super) const fn progress(&self, lane: Lane) -> LaneProgress {
        let Self { log, epoch, applied_next, replied_next, .. } = *self;
        LaneProgress { lane, log, epoch, applied_next, replied_next }
    }

    /// Returns the lane as the port shows it.
    pub(super) fn stored(&self, lane: Lane, left: &[LogIdentity]) -> StoredLane {
        let unreadable = match self.mismatch() {
            None => {
                let (progress, last_id) = (self.progress(lane), self.last_id);
                return StoredLane::Known { progress, last_id, left: left.to_vec() };
            }
            Some(Mismatch::UnreadableRow { what }) => Some(what),
            Some(_) => None,
        };
        let newest = self.receipts.iter().rfind(|row| row.epoch.next().is_some());
        let remains = newest.map_or_else(LaneRemains::default, |row| LaneRemains {
            epoch: row.epoch,
            read: Some((row.log.id, row.receipt.to)),
        });
        StoredLane::Lost { unreadable, remains }
    }

    /// Lets the lane go on where the acceptance says. Receipts of positions that may come again
    /// then belong to no log. A lane without a readable row gets a new one, with an epoch above
    /// that of every lane and with `mark` as the highest passed deadline.
    pub(super) fn accept(&mut self, accepted: &AcceptedLane, (highest, mark): (Epoch, Deadline)) {
        let Acceptance { log, applied_next, replied_next, keeps_receipts, .. } =
            accepted.acceptance;
        if !keeps_receipts {
            self.receipts.iter_mut().for_each(|row| row.log = LogIdentity::NONE);
        }
        if self.mismatch().is_some() {
            self.is_lost = false;
            self.epoch = highest;
            self.expired_up_to = mark;
            // A writer that read the lane's shops before must notice that they may have changed.
            let newest = self.import_receipts.back().map(|receipt| receipt.number);
            self.imports = ImportNumber(newest.unwrap_or_default().max(self.imports).0 + 1);
        }
        self.log = Some(log);
        self.epoch = accepted.next_epoch(self.epoch);
        self.applied_next = applied_next;
        self.replied_next = replied_next;
        self.last_id = accepted.last_id;
    }

    /// Moves the lane behind an applied batch.
    pub(super) fn advance(&mut self, batch: &Batch, expired_up_to: Deadline) {
        self.applied_next = batch.to();
        self.last_id = batch.last_id().or(self.last_id);
        self.expired_up_to = self.expired_up_to.max(expired_up_to);
        self.reply(batch.replied);
    }

    /// Stores that everything below `next` is answered, but never more than was applied.
    pub(super) fn reply(&mut self, next: Position) {
        self.replied_next = self.replied_next.max(next.min(self.applied_next));
    }

    pub(super) fn keep(&mut self, receipt: Receipt, at: Timestamp) {
        if let Some(log) = self.log
            && !receipt.entries.is_empty()
        {
            let epoch = self.epoch;
            self.receipts.push_back(ReceiptRow { log, epoch, at, receipt, is_spoiled: false });
        }
    }

    /// Counts an import of the lane's shops, and returns its number.
    pub(super) fn count_import(&mut self) -> ImportNumber {
        self.imports.0 += 1;
        self.imports
    }

    /// Stores the receipt of an import, and drops old ones.
    pub(super) fn keep_import(&mut self, receipt: ImportReceipt, kept: Duration) {
        let now = receipt.at;
        self.import_receipts.push_back(receipt);
        while self.import_receipts.front().is_some_and(|old| old.at.saturating_add(kept) < now) {
            self.import_receipts.pop_front();
        }
    }

    /// Returns whether a receipt belongs to an earlier log.
    pub(super) fn is_of_another_log(&self, row: &ReceiptRow) -> bool {
        self.log.is_none_or(|log| log.id != row.log.id)
    }

    /// Begins anew in whatever log comes next, as an owner with this epoch.
    pub(super) fn begin_anew(&mut self, epoch: Epoch, mark: Deadline) {
        self.log = None;
        self.epoch = epoch;
        self.applied_next = Position::default();
        self.replied_next = Position::default();
        self.last_id = None;
        self.expired_up_to = mark;
    }

    /// Drops the receipts that are answered and old enough. Receipts of earlier logs no longer need
    /// an answer.
    pub(super) fn prune(&mut self, now: Timestamp, kept: Duration) {
        while self.receipts.front().is_some_and(|row| {
            let is_answered = self.is_of_another_log(row) || row.receipt.to <= self.replied_next;
            is_answered && row.at.saturating_add(kept) < now
        }) {
            self.receipts.pop_front();
        }
    }
}
