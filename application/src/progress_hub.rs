//! Follows campaigns: one poller for each campaign, whatever the number of watchers.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catchment_domain::ports::{CampaignRepository, Clock, OutcomeFilter, StoreError};
use catchment_domain::{
    Campaign, CampaignError, Damage, Found, Phase, Revision, Slot, Status, Timestamp,
};
use tokio::sync::watch;

use crate::UseCaseError;
use crate::progress::{CampaignProgress, campaign_progress, is_replacing};

/// How long no shop may get an outcome before a campaign counts as stalled.
const PATIENCE: Duration = Duration::from_secs(10);

/// A future without borrows.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What pollers need of a runtime.
pub trait Runtime: Send + Sync + 'static {
    /// Runs a poller to its end.
    fn spawn(&self, poller: BoxFuture);

    /// Waits so long.
    fn sleep(&self, time: Duration) -> BoxFuture;
}

/// How often a poller reads.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The time between two readings of a campaign.
    pub look: Duration,
    /// The shortest time between two counts of its outcomes. A count reads all of them.
    pub count: Duration,
}

/// The last progress, or why the poller ended. `None` until the first reading.
type Latest = Option<Result<Arc<CampaignProgress>, Arc<UseCaseError>>>;

/// The progress of campaigns, for any number of watchers.
///
/// While a campaign has a watcher, one poller reads the campaign. The poller ends with the last
/// watcher, or when the campaign cannot be read.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct ProgressHub(Arc<Hub>);

struct Hub {
    campaigns: Arc<dyn CampaignRepository>,
    clock: Arc<dyn Clock>,
    runtime: Arc<dyn Runtime>,
    pace: Pace,
    /// The campaigns that have a poller.
    senders: Mutex<BTreeMap<Revision, watch::Sender<Latest>>>,
}

impl ProgressHub {
    /// A hub without watchers.
    #[must_use]
    pub fn new(
        campaigns: Arc<dyn CampaignRepository>,
        clock: Arc<dyn Clock>,
        runtime: Arc<dyn Runtime>,
        pace: Pace,
    ) -> Self {
        Self(Arc::new(Hub { campaigns, clock, runtime, pace, senders: Mutex::default() }))
    }

    /// Follows a campaign until the subscription is dropped.
    #[must_use]
    pub fn subscribe(&self, revision: Revision) -> Subscription {
        let mut senders = self.0.senders();
        let sender = senders.entry(revision).or_insert_with(|| {
            let (sender, hub) = (watch::Sender::new(None), Arc::clone(&self.0));
            let poller = sender.clone();
            self.0.runtime.spawn(Box::pin(async move { hub.poll(revision, &poller).await }));
            sender
        });
        let mut receiver = sender.subscribe();
        // A subscription that comes late returns the present progress at once.
        receiver.mark_changed();
        Subscription(receiver)
    }
}

/// The progress of one campaign.
#[derive(Clone, Debug)]
pub struct Subscription(watch::Receiver<Latest>);

impl Subscription {
    /// Returns the progress when it is another than at the last call. The first call returns the
    /// present progress.
    ///
    /// # Errors
    ///
    /// When there is no such campaign, or it cannot be read. Subscribe again to try again.
    pub async fn changed(&mut self) -> Result<Arc<CampaignProgress>, Arc<UseCaseError>> {
        while self.0.changed().await.is_ok() {
            if let Some(latest) = self.0.borrow_and_update().clone() {
                return latest;
            }
        }
        Err(Arc::new(UseCaseError::Unavailable("nobody reads the campaign any more".into())))
    }
}

impl Hub {
    /// Reads a campaign until it has no watcher, or cannot be read.
    async fn poll(&self, revision: Revision, sender: &watch::Sender<Latest>) {
        let _removed = RemovedByPanic { hub: self, revision };
        let mut poller = Poller::default();
        loop {
            match poller.look(self, revision).await {
                Ok(progress) => sender.send_if_modified(|latest| {
                    let is_new = !matches!(latest, Some(Ok(last)) if **last == progress);
                    if is_new {
                        *latest = Some(Ok(Arc::new(progress)));
                    }
                    is_new
                }),
                Err(error) => {
                    self.senders().remove(&revision);
                    sender.send_replace(Some(Err(Arc::new(error))));
                    return;
                }
            };
            self.runtime.sleep(self.pace.look).await;
            // Watchers come under the lock, so none comes between the question and the removal.
            let mut senders = self.senders();
            if sender.receiver_count() == 0 {
                senders.remove(&revision);
                return;
            }
        }
    }

    fn senders(&self) -> MutexGuard<'_, BTreeMap<Revision, watch::Sender<Latest>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the sender of a poller that panics, so that its watchers wait no more and the next watcher
/// starts another poller.
struct RemovedByPanic<'a> {
    hub: &'a Hub,
    revision: Revision,
}

impl Drop for RemovedByPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.hub.senders().remove(&self.revision);
        }
    }
}

/// What a poller knows of its campaign.
#[derive(Default)]
struct Poller {
    last: Option<CampaignProgress>,
    /// The campaign as it was when its outcomes were counted, and when that was.
    counted: Option<(Campaign, Timestamp)>,
    stall: Stall,
}

impl Poller {
    /// Reads how far the campaign is.
    async fn look(
        &mut self,
        hub: &Hub,
        revision: Revision,
    ) -> Result<CampaignProgress, UseCaseError> {
        let (campaigns, now) = (&*hub.campaigns, hub.clock.now());
        let last = self.last.take();
        let was_stalled = last.as_ref().is_some_and(|last| last.stalled_since.is_some());
        let mut progress = match last {
            Some(last) => self.read_on(hub, last, now).await?,
            None => self.count(campaigns, revision, now).await?,
        };
        progress.stalled_since = self.stall.since(progress.campaign.state.open(), now);
        if progress.stalled_since.is_some() && !was_stalled {
            progress.damaged = damage(campaigns, revision).await?;
        }
        self.last = Some(progress.clone());
        Ok(progress)
    }

    /// Reads the campaign, and counts its outcomes only if they are others and that is due.
    async fn read_on(
        &mut self,
        hub: &Hub,
        mut progress: CampaignProgress,
        now: Timestamp,
    ) -> Result<CampaignProgress, UseCaseError> {
        let campaigns = &*hub.campaigns;
        let revision = progress.campaign.name.revision;
        let campaign = campaigns.get(revision).await?;
        progress.campaign = campaign.ok_or(CampaignError::Unknown(revision))?;
        let is_due = |counted_at| {
            progress.campaign.state.open() == 0 || is_over(counted_at, hub.pace.count, now)
        };
        let is_counted = self.counted.as_ref().is_some_and(|(campaign, counted_at)| {
            *campaign == progress.campaign || !is_due(*counted_at)
        });
        if !is_counted {
            return self.count(campaigns, revision, now).await;
        }
        if progress.is_replacing {
            progress.is_replacing = is_replacing(campaigns, &progress.campaign).await?;
        }
        Ok(progress)
    }

    /// Reads the campaign, and counts its outcomes.
    async fn count(
        &mut self,
        campaigns: &dyn CampaignRepository,
        revision: Revision,
        now: Timestamp,
    ) -> Result<CampaignProgress, UseCaseError> {
        let progress = campaign_progress(campaigns, revision).await?;
        self.counted = Some((progress.campaign.clone(), now));
        Ok(progress)
    }
}

/// Finds what is damaged of a campaign. A campaign with damage cannot finish.
async fn damage(
    campaigns: &dyn CampaignRepository,
    revision: Revision,
) -> Result<Vec<Damage>, StoreError> {
    // With this filter the store reads every chunk, but hardly any shop has this outcome.
    let status = Some(Slot::Closed(Status::Failed));
    let filter = OutcomeFilter { phase: Phase::Activation, status };
    let Found { damaged, .. } = campaigns.outcomes(revision, filter, 0, usize::MAX).await?;
    Ok(damaged)
}

/// The number of open shops at the last change, and the time of that change.
#[derive(Default)]
struct Stall(Option<(u32, Timestamp)>);

impl Stall {
    /// Returns since when the campaign is stalled: it has open shops, and their number did not
    /// change for [`PATIENCE`].
    fn since(&mut self, open: u32, now: Timestamp) -> Option<Timestamp> {
        match self.0 {
            // A clock that stepped back says nothing about the time that passed.
            Some((before, since)) if before == open && since <= now => {
                (0 < open && is_over(since, PATIENCE, now)).then_some(since)
            }
            Some(_) | None => {
                self.0 = Some((open, now));
                None
            }
        }
    }
}

fn is_over(since: Timestamp, time: Duration, now: Timestamp) -> bool {
    now < since || time <= now.saturating_since(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_without_progress_stalls_until_something_moves() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let mut stall = Stall::default();
        let told = [(0, 9), (1, 7), (9, 7), (11, 7), (12, 7), (13, 6), (22, 6), (23, 6), (40, 0)]
            .map(|(seconds, open)| stall.since(open, at(seconds)));
        let (first, second) = (Some(at(1)), Some(at(13)));
        assert_eq!(told, [None, None, None, first, first, None, None, second, None]);
        assert_eq!(stall.since(5, at(41)), None);
        assert_eq!(stall.since(5, at(30)), None, "a clock that stepped back");
        assert_eq!(stall.since(5, at(40)), Some(at(30)));
    }
}
