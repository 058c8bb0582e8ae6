//! Watchers of a campaign.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use catchment_application::{
    BoxFuture, Goal, Pace, ProgressHub, Runtime, Subscription, UseCaseError, Verdict,
    campaign_progress,
};
use catchment_domain::ports::{
    CampaignRepository, CommandError, OutcomeFilter, ShopOutcome, StoreError, Tallies,
};
use catchment_domain::{
    Campaign, CampaignState, Command, Draft, Found, Revision, Slot, Status, Tally,
};
use tokio::sync::Semaphore;

use crate::city::City;

/// Counts what is read of campaigns.
struct Counting {
    city: City,
    /// Whether counting the outcomes panics.
    panics: AtomicBool,
    gets: AtomicU32,
    tallies: AtomicU32,
}

#[async_trait]
impl CampaignRepository for Counting {
    async fn add(&self, draft: &Draft) -> Result<Campaign, CommandError> {
        self.city.store.add(draft).await
    }

    async fn get(&self, revision: Revision) -> Result<Option<Campaign>, StoreError> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        self.city.store.get(revision).await
    }

    async fn list(
        &self,
        behind: Option<Revision>,
        limit: usize,
    ) -> Result<Found<Vec<Campaign>>, StoreError> {
        CampaignRepository::list(&*self.city.store, behind, limit).await
    }

    async fn command(
        &self,
        revision: Revision,
        command: Command,
    ) -> Result<Campaign, CommandError> {
        self.city.store.command(revision, command).await
    }

    async fn tallies(&self, revision: Revision) -> Result<Found<Tallies>, StoreError> {
        assert!(!self.panics.load(Ordering::SeqCst), "the store is broken");
        self.tallies.fetch_add(1, Ordering::SeqCst);
        self.city.store.tallies(revision).await
    }

    async fn outcomes(
        &self,
        revision: Revision,
        filter: OutcomeFilter,
        from: u32,
        limit: usize,
    ) -> Result<Found<Vec<ShopOutcome>>, StoreError> {
        self.city.store.outcomes(revision, filter, from, limit).await
    }
}

/// A runtime whose sleepers wake up one by one, when the test says so.
struct Turns {
    turns: Arc<Semaphore>,
    pollers: AtomicU32,
}

impl Runtime for Turns {
    fn spawn(&self, poller: BoxFuture) {
        self.pollers.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(poller);
    }

    fn sleep(&self, _: Duration) -> BoxFuture {
        let turns = Arc::clone(&self.turns);
        Box::pin(async move { turns.acquire_owned().await.unwrap().forget() })
    }
}

struct Watched {
    campaigns: Arc<Counting>,
    runtime: Arc<Turns>,
    hub: ProgressHub,
    revision: Revision,
}

impl Watched {
    async fn campaign() -> Self {
        let city = City::with_shops().await;
        let revision = city.start().await.name.revision;
        let clock = Arc::clone(&city.clock) as _;
        let (gets, tallies, panics) =
            (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
        let campaigns = Arc::new(Counting { city, panics, gets, tallies });
        let turns = Arc::new(Semaphore::new(0));
        let runtime = Arc::new(Turns { turns, pollers: AtomicU32::new(0) });
        let pace = Pace { look: Duration::from_millis(1), count: Duration::from_secs(1) };
        let hub =
            ProgressHub::new(Arc::clone(&campaigns) as _, clock, Arc::clone(&runtime) as _, pace);
        Self { campaigns, runtime, hub, revision }
    }

    fn watch(&self) -> Subscription {
        self.hub.subscribe(self.revision)
    }

    /// Lets the poller read so often.
    async fn turn(&self, times: usize) {
        self.runtime.turns.add_permits(times);
        while 0 < self.runtime.turns.available_permits() {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    /// How often a campaign was read, and its outcomes were counted.
    fn reads(&self) -> (u32, u32) {
        let Counting { gets, tallies, .. } = &*self.campaigns;
        (gets.load(Ordering::SeqCst), tallies.load(Ordering::SeqCst))
    }

    fn pollers(&self) -> u32 {
        self.runtime.pollers.load(Ordering::SeqCst)
    }

    async fn give_up(&self) {
        self.campaigns.command(self.revision, Command::GiveUp).await.unwrap();
    }
}

#[tokio::test]
async fn fifty_watchers_cause_the_reads_of_one() {
    let watched = Watched::campaign().await;
    let mut subscriptions: Vec<_> = (0..50).map(|_| watched.watch()).collect();
    for subscription in &mut subscriptions {
        assert_eq!(subscription.changed().await.unwrap().campaign.state.open(), 3);
    }
    watched.turn(9).await;
    assert_eq!((watched.reads(), watched.pollers()), ((10, 1), 1));
    watched.give_up().await;
    watched.turn(1).await;
    for subscription in &mut subscriptions {
        let progress = subscription.changed().await.unwrap();
        assert!(progress.has_reached(Goal::Settled));
        assert_eq!(progress.tally(Goal::Settled).answered(), 3);
    }
    let (_, counted) = watched.reads();
    assert_eq!(counted, 2);
}

#[tokio::test]
async fn a_late_watcher_sees_the_present_progress_at_once() {
    let watched = Watched::campaign().await;
    let mut first = watched.watch();
    first.changed().await.unwrap();
    let mut late = watched.watch();
    assert_eq!(late.changed().await.unwrap().campaign.state.open(), 3);
    assert_eq!((watched.reads(), watched.pollers()), ((1, 1), 1));
}

#[tokio::test]
async fn the_last_watcher_to_leave_stops_the_poller() {
    let watched = Watched::campaign().await;
    let mut subscriptions = [watched.watch(), watched.watch()];
    subscriptions[0].changed().await.unwrap();
    let [first, second] = subscriptions;
    drop(first);
    watched.turn(1).await;
    assert_eq!(watched.reads(), (2, 1));
    drop(second);
    watched.turn(1).await;
    assert_eq!(watched.reads(), (2, 1));
    watched.watch().changed().await.unwrap();
    assert_eq!((watched.reads(), watched.pollers()), ((3, 2), 2));
}

#[tokio::test]
async fn a_wait_ends_with_what_became_of_the_shops() {
    use CampaignState::{Ended, Settled};
    use Status::{Applied, Expired, Rejected, Superseded, Unchanged};
    let city = City::with_shops().await;
    let revision = city.start().await.name.revision;
    let sending = campaign_progress(&*city.store, revision).await.unwrap();
    let missed = |failures: &[(Status, u32)], unknown_alone| Verdict::Missed {
        failures: failures.to_vec(),
        unknown_alone,
    };
    let closed = |statuses: &[Status]| {
        let mut tally = Tally::default();
        tally.add(&statuses.iter().map(|status| Slot::Closed(*status)).collect::<Vec<_>>());
        tally
    };
    let other = Some(Revision(9));
    for (goal, (state, replaced_by), statuses, expected) in [
        (Goal::Settled, (Settled, None), &[Applied, Unchanged][..], Verdict::Reached),
        (Goal::Settled, (Ended, None), &[Applied, Superseded], Verdict::EndedBefore),
        (Goal::Settled, (Ended, None), &[Applied], Verdict::Reached),
        (Goal::Settled, (Ended, other), &[Superseded], Verdict::ReplacedBefore(Revision(9))),
        (Goal::Settled, (Settled, other), &[Superseded], Verdict::Reached),
        (Goal::Ended, (Ended, None), &[Applied, Superseded], Verdict::Reached),
        (Goal::Ended, (Ended, None), &[Expired], missed(&[(Expired, 1)], false)),
        (
            Goal::Settled,
            (Settled, None),
            &[Applied, Expired, Rejected],
            missed(&[(Rejected, 1), (Expired, 1)], false),
        ),
        // The store has no rejected shop, so none was rejected for another reason.
        (Goal::Settled, (Settled, None), &[Rejected], missed(&[(Rejected, 1)], true)),
    ] {
        let mut progress = sending.clone();
        (progress.campaign.state, progress.campaign.replaced_by) = (state, replaced_by);
        let tally = closed(statuses);
        progress.tallies = match goal {
            Goal::Settled => Tallies { activation: tally, ..Tallies::default() },
            Goal::Ended => Tallies { release: tally, ..Tallies::default() },
        };
        let verdict = progress.verdict(&*city.store, goal).await.unwrap();
        assert_eq!(verdict, expected, "{goal:?} {state:?} {statuses:?}");
    }
}

#[tokio::test]
async fn a_stall_is_told_until_something_moves() {
    let watched = Watched::campaign().await;
    let mut subscription = watched.watch();
    let began = subscription.changed().await.unwrap().campaign.created_at;
    watched.campaigns.city.clock.advance(Duration::from_secs(10));
    watched.turn(1).await;
    assert_eq!(subscription.changed().await.unwrap().stalled_since, Some(began));
    watched.give_up().await;
    watched.turn(1).await;
    assert_eq!(subscription.changed().await.unwrap().stalled_since, None);
}

#[tokio::test]
async fn a_poller_that_panics_ends_its_watchers_and_the_next_watcher_starts_another() {
    let watched = Watched::campaign().await;
    watched.campaigns.panics.store(true, Ordering::SeqCst);
    let error = watched.watch().changed().await.unwrap_err();
    assert!(matches!(*error, UseCaseError::Unavailable(_)), "{error:?}");
    watched.campaigns.panics.store(false, Ordering::SeqCst);
    assert_eq!(watched.watch().changed().await.unwrap().campaign.state.open(), 3);
    assert_eq!(watched.pollers(), 2);
}

#[tokio::test]
async fn a_campaign_that_is_not_there_is_an_error() {
    let watched = Watched::campaign().await;
    let mut subscription = watched.hub.subscribe(Revision(99));
    let error = subscription.changed().await.unwrap_err();
    assert_eq!(error.to_string(), "there is no campaign 99");
}
