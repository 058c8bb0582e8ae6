//! How much may be with the client at once, and how calls share it.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// For how many calls the reserve is enough.
const SHARES: usize = 96;

/// Says how much of all credit the reserve is.
pub(super) const fn reserve_of(credit: usize) -> usize {
    let half = credit / 2;
    if half == 0 { 1 } else { half }
}

/// Says how much of all credit a call's share of the reserve is.
pub(super) const fn share_of(credit: usize) -> usize {
    let share = reserve_of(credit) / SHARES;
    if share == 0 { 1 } else { share }
}

/// What may be with the client at once.
///
/// One half is for whichever call comes first. The other half is a reserve for calls that find
/// no room in the first one: each may have a share of it under way. So calls to partitions that
/// take nothing fill the first half and their own shares, and leave the other shares free.
#[derive(Debug)]
pub(super) struct Credit {
    common: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    share: u32,
}

/// The share of the reserve that one call has.
#[derive(Debug)]
pub(super) struct Share(Arc<Semaphore>);

/// Credit that was taken. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    _credit: OwnedSemaphorePermit,
    _share: Option<OwnedSemaphorePermit>,
}

impl Credit {
    pub(super) fn new(credit: usize) -> Self {
        let half = || Arc::new(Semaphore::new(reserve_of(credit)));
        let share = u32::try_from(share_of(credit)).unwrap_or(u32::MAX);
        Self { common: half(), reserve: half(), share }
    }

    /// A share for a new call.
    pub(super) fn share(&self) -> Share {
        Share(Arc::new(Semaphore::new(self.share as usize)))
    }

    /// Takes credit from the common half, or from the call's share of the reserve, and waits until
    /// one of them has enough. The cost is at most the whole reserve. A cost above a share takes
    /// the whole share.
    ///
    /// # Errors
    ///
    /// When the credit was closed.
    pub(super) async fn take(&self, share: &Share, cost: u32) -> Result<Taken, AcquireError> {
        match Arc::clone(&self.common).try_acquire_many_owned(cost) {
            Ok(credit) => return Ok(Taken { _credit: credit, _share: None }),
            // The wait below fails in the same way if the credit is closed.
            Err(TryAcquireError::Closed | TryAcquireError::NoPermits) => {}
        }
        tokio::select! {
            credit = Arc::clone(&self.common).acquire_many_owned(cost) => {
                Ok(Taken { _credit: credit?, _share: None })
            }
            taken = self.take_of_reserve(share, cost) => taken,
        }
    }

    async fn take_of_reserve(&self, share: &Share, cost: u32) -> Result<Taken, AcquireError> {
        let share = Arc::clone(&share.0).acquire_many_owned(cost.min(self.share)).await?;
        let credit = Arc::clone(&self.reserve).acquire_many_owned(cost).await?;
        Ok(Taken { _credit: credit, _share: Some(share) })
    }

    /// Fails all calls that wait for credit, and all that come later.
    pub(super) fn close(&self) {
        self.common.close();
        self.reserve.close();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.common.is_closed()
    }

    /// How much is left, in both halves.
    pub(super) fn left(&self) -> usize {
        self.common.available_permits() + self.reserve.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Small enough to count: halves of 960, and shares of 10.
    fn credit() -> Credit {
        let credit = Credit::new(1_920);
        assert_eq!((credit.left(), credit.share), (1_920, 10));
        credit
    }

    /// What can be taken without waiting.
    fn take(credit: &Credit, share: &Share, cost: u32) -> Option<Taken> {
        let taking = pin!(credit.take(share, cost));
        match taking.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => Some(taken.unwrap()),
            Poll::Pending => None,
        }
    }

    /// A call that takes parts of this size until it has to wait.
    fn fill(credit: &Credit, cost: u32) -> (Share, Vec<Taken>) {
        let share = credit.share();
        let taken = std::iter::from_fn(|| take(credit, &share, cost)).collect();
        (share, taken)
    }

    #[test]
    fn calls_that_take_all_they_get_leave_shares_for_others() {
        let credit = credit();
        let first = fill(&credit, 10);
        assert_eq!(first.1.len(), 97, "all of the common half, and its share");
        let stuck: Vec<_> = (0..94).map(|_| fill(&credit, 10)).collect();
        assert!(stuck.iter().all(|(_, taken)| taken.len() == 1), "a share each");
        let other = credit.share();
        for _ in 0..3 {
            let taken = take(&credit, &other, 10).expect("its share is free");
            assert!(take(&credit, &other, 10).is_none(), "it has no more than its share");
            drop(taken);
        }
    }

    #[test]
    fn what_is_larger_than_a_share_takes_all_of_it() {
        let credit = credit();
        let full = fill(&credit, 960);
        let other = credit.share();
        assert!(take(&credit, &other, 900).is_none(), "the reserve is taken, too");
        drop(full);
        let _common = fill(&credit, 10);
        let taken = take(&credit, &other, 900).expect("there is room in the reserve");
        assert!(take(&credit, &other, 1).is_none(), "its share is taken");
        drop(taken);
        assert!(take(&credit, &other, 1).is_some());
    }

    #[tokio::test]
    async fn closed_credit_fails_those_who_wait_and_those_who_come() {
        let credit = credit();
        let (share, _taken) = fill(&credit, 10);
        let waiting = credit.take(&share, 10);
        let closing = async { credit.close() };
        let (waited, ()) = tokio::join!(waiting, closing);
        assert!(waited.is_err());
        assert!(credit.take(&credit.share(), 1).await.is_err());
        assert!(credit.is_closed());
    }

    #[test]
    fn the_smallest_credit_is_enough_for_one() {
        let credit = Credit::new(1);
        let share = credit.share();
        assert!(take(&credit, &share, 1).is_some());
    }
}
