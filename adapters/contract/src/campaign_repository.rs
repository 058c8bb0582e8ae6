//! The promises of [`CampaignRepository`](catchment_domain::ports::CampaignRepository).

use std::collections::BTreeMap;
use std::slice;
use std::time::Duration;

use catchment_domain::ports::{CommandError, OutcomeFilter, ShopOutcome, StoreError};
use catchment_domain::service::CampaignPages;
use catchment_domain::{
    Attempt, CHUNK_SHOPS, Campaign, CampaignError, CampaignState, Code, Command, Deadline, Draft,
    Lane, Phase, Replaced, Revision, Scope, ShopId, Slot, Status, StoredItem,
};
use tokio::task::JoinSet;

use crate::owner::Owner;
use crate::requester::{Requester, answer};
use crate::scene::{
    campaign, draft, ids_in, import, limit, named, narrow_by, row, shops_in, stranger_in,
};
use crate::{Store, StoreHarness};

const LANE: Lane = Lane(0);
const ACTIVATIONS: OutcomeFilter = OutcomeFilter { phase: Phase::Activation, status: None };

/// The list is that of the moment in which the campaign is stored, by lane and id, in chunks.
pub async fn add_freezes_the_list(harness: &dyn StoreHarness) {
    let store = harness.store();
    let mut ids = shops_in(&store, LANE, 3).await;
    ids.extend(shops_in(&store, Lane(1), 2).await);
    let until = Some(harness.now().saturating_add(Duration::from_hours(5)));
    let reason = "비가 온다 🌧".to_owned();
    let rain = Draft { limit: limit("50%"), until, reason, ..draft(Scope::everything()) };
    let added = store.campaigns.add(&rain).await.unwrap();
    assert_eq!((added.shops, added.state), (5, CampaignState::Sending { open: 5 }));
    assert_eq!(added.deadline, Deadline::at(harness.now().saturating_add(added.timeout)));
    import(&store, &[row(&stranger_in(store.shops.lanes(), LANE))]).await;
    for store in [Some(store), harness.reopened().await].into_iter().flatten() {
        assert_eq!(store.campaigns.get(added.name.revision).await.unwrap(), Some(added.clone()));
        assert_eq!(list_of(&store, &added).await, ids);
        assert_eq!(in_chunks(&store, &added).await, [(LANE, 0, 3), (Lane(1), 3, 2)]);
    }
}

/// Chunks hold the shops of one lane, and no more than their most.
pub async fn add_splits_the_list_into_chunks(harness: &dyn StoreHarness) {
    let store = harness.store();
    let mut ids = ids_in(store.shops.lanes(), LANE, CHUNK_SHOPS + 1);
    ids.extend(ids_in(store.shops.lanes(), Lane(1), 1));
    let added = campaign(&store, &ids).await;
    let most = u32::try_from(CHUNK_SHOPS).unwrap();
    let expected = [(LANE, 0, most), (LANE, most, 1), (Lane(1), most + 1, 1)];
    assert_eq!(in_chunks(&store, &added).await, expected);
    assert_eq!(list_of(&store, &added).await, ids);
}

/// Whoever names shops learns the outcome of each, of one that is not there too.
pub async fn add_keeps_unknown_ids(harness: &dyn StoreHarness) {
    let store = harness.store();
    let mut ids = shops_in(&store, LANE, 1).await;
    ids.push(stranger_in(store.shops.lanes(), LANE));
    ids.sort_unstable();
    assert_eq!(list_of(&store, &campaign(&store, &ids).await).await, ids);
    // With another condition only shops can fulfil it.
    let scope = Scope { regions: ["Camden".to_owned()].into(), ..named(&ids) };
    let added = store.campaigns.add(&draft(scope)).await.unwrap();
    assert_eq!(added.shops, 1);
}

/// A scope without a shop makes no campaign, and replaces none.
pub async fn add_empty_scope_is_refused(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let old = campaign(&store, &ids).await;
    let scope = Scope { regions: ["Atlantis".to_owned()].into(), ..Scope::everything() };
    for scope in [scope, named(&[])] {
        let draft = Draft { replaces: Some(old.name.revision), ..draft(scope) };
        let refused = store.campaigns.add(&draft).await;
        assert!(matches!(refused, Err(CommandError::Campaign(CampaignError::EmptyScope))));
    }
    assert_eq!(store.campaigns.list(None, 99).await.unwrap().found, [old]);
}

/// A clock that stepped back does not make a campaign, or a retry, late from the start.
pub async fn add_deadline_lies_above_the_mark(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let mark = raise_mark(harness, &store, &ids[0], Duration::from_hours(1)).await;
    let added = campaign(&store, &ids).await;
    assert!(mark < added.deadline);
    settle(&store, &added, Status::Rejected).await;
    let mark = raise_mark(harness, &store, &ids[0], Duration::from_hours(9)).await;
    assert!(added.deadline < mark);
    let again = store.campaigns.command(added.name.revision, Command::Retry).await.unwrap();
    assert!(mark < again.deadline);
}

/// What is below a millisecond is cut, and nothing is too late from the start by that.
pub async fn add_counts_whole_milliseconds(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    for (micros, millis) in [(0, 1), (1, 1), (999, 1), (1_000, 1), (1_999, 1), (2_000, 2)] {
        let draft = Draft { timeout: Duration::from_micros(micros), ..draft(named(&ids)) };
        let added = store.campaigns.add(&draft).await.unwrap();
        let timeout = Duration::from_millis(millis);
        assert_eq!(added.timeout, timeout, "{micros} µs");
        assert_eq!(added.deadline, Deadline::at(harness.now().saturating_add(timeout)));
        assert_eq!(get(&store, &added).await, added);
    }
}

/// Of many that want to replace one campaign at once, one does; and none that is ending.
pub async fn add_replaces_once(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let old = campaign(&store, &ids).await;
    let by = |old: Revision| Draft { replaces: Some(old), ..draft(named(&ids)) };
    let mut replacing = JoinSet::new();
    for _ in 0..4 {
        let (store, draft) = (harness.store(), by(old.name.revision));
        replacing.spawn(async move { store.campaigns.add(&draft).await });
    }
    let (new, refused): (Vec<_>, Vec<_>) =
        replacing.join_all().await.into_iter().partition(Result::is_ok);
    let new: Vec<Campaign> = new.into_iter().map(Result::unwrap).collect();
    assert_eq!((new.len(), refused.len()), (1, 3));
    assert_eq!(new[0].replaces, Some(Replaced { campaign: old.name, deadline: old.deadline }));
    assert_eq!(get(&store, &old).await.replaced_by, Some(new[0].name.revision));
    assert_eq!(get(&store, &new[0]).await, new[0]);
    let sorry = CampaignError::Replaced(old.name.revision, new[0].name.revision);
    for error in refused.into_iter().map(Result::unwrap_err) {
        assert!(matches!(error, CommandError::Campaign(error) if error == sorry), "{error}");
    }
    store.campaigns.command(new[0].name.revision, Command::End).await.unwrap();
    for (revision, error) in [
        (new[0].name.revision, CampaignError::Ended(new[0].name.revision)),
        (Revision(99), CampaignError::Unknown(Revision(99))),
    ] {
        let refused = store.campaigns.add(&by(revision)).await;
        assert!(matches!(refused, Err(CommandError::Campaign(e)) if e == error));
    }
}

/// Commands move a campaign as the table of the domain says, and are refused as it says.
pub async fn command_goes_by_the_rules(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 2).await;
    let added = campaign(&store, &ids).await;
    let revision = added.name.revision;
    check_refused(&store, &added, Command::Retry, CampaignError::Sending(revision)).await;
    settle(&store, &added, Status::Expired).await;
    check_refused(&store, &added, Command::GiveUp, CampaignError::NothingOpen(revision)).await;
    harness.advance(Duration::from_hours(1));
    let retried = store.campaigns.command(revision, Command::Retry).await.unwrap();
    assert_eq!((retried.attempt, retried.state.open()), (Attempt(2), 2));
    assert_eq!(retried.deadline, Deadline::at(harness.now().saturating_add(added.timeout)));
    let ending = store.campaigns.command(revision, Command::End).await.unwrap();
    assert_eq!(ending.state, CampaignState::Ending { open: 4 });
    for command in [Command::End, Command::Retry] {
        check_refused(&store, &added, command, CampaignError::Ending(revision)).await;
    }
    let ended = store.campaigns.command(revision, Command::GiveUp).await.unwrap();
    assert_eq!((ended.state, get(&store, &added).await), (CampaignState::Ended, ended));
    let tallies = store.campaigns.tallies(revision).await.unwrap().found;
    assert_eq!(tallies.activation.of(Status::Failed), 2);
    assert_eq!(tallies.release.of(Status::Failed), 2);
    for command in [Command::End, Command::GiveUp] {
        check_refused(&store, &added, command, CampaignError::Ended(revision)).await;
    }
    check_released_again(&store, &added).await;
    check_refused(&store, &added, Command::Retry, CampaignError::Ended(revision)).await;
    let unknown = store.campaigns.command(Revision(99), Command::End).await;
    let nobody = CampaignError::Unknown(Revision(99));
    assert!(matches!(unknown, Err(CommandError::Campaign(error)) if error == nobody));
}

/// Pages of any size, put together, are all campaigns, and name all damage.
pub async fn list_pages_are_complete(harness: &dyn StoreHarness) {
    let store = harness.store();
    let ids = shops_in(&store, LANE, 1).await;
    let (mut expected, mut items) = (Vec::new(), Vec::new());
    for place in 0..9 {
        let added = campaign(&store, &ids).await;
        if [0, 3, 4, 6, 8].contains(&place) {
            items.push(StoredItem::Campaign(added.name.revision));
        } else {
            expected.push(added);
        }
    }
    for item in &items {
        harness.damage(item).await;
    }
    for limit in [1, 2, 3, 4, 5, 100, usize::MAX] {
        let (mut listed, mut named, mut behind) = (Vec::new(), Vec::new(), None);
        loop {
            let page = store.campaigns.list(behind, limit).await.unwrap();
            named.extend(page.damaged.into_iter().map(|damage| damage.item));
            let is_last = page.found.len() < limit;
            assert!(page.found.len() <= limit);
            listed.extend(page.found);
            behind = listed.last().map(|campaign: &Campaign| campaign.name.revision);
            if is_last {
                break;
            }
        }
        assert_eq!((&listed, &named), (&expected, &items), "pages of {limit}");
    }
    let all = CampaignPages::new(&*store.campaigns).all().await.unwrap();
    assert_eq!(all.found, expected);
    assert!(all.damaged.iter().map(|damage| &damage.item).eq(&items));
}

/// Pages of any size, put together, are the list with its outcomes.
pub async fn outcomes_are_complete(harness: &dyn StoreHarness) {
    let store = harness.store();
    let mut ids = shops_in(&store, LANE, 4).await;
    ids.extend(shops_in(&store, Lane(1), 3).await);
    let added = campaign(&store, &ids).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&added, Phase::Activation, &[0, 1]).await;
    let mut told = answer(&added, Phase::Activation, (0, 2), Status::Rejected);
    told.outcome.code = Some(Code::UnknownShop);
    told.outcome.detail = Some("no trace of it".into());
    let plain = answer(&added, Phase::Activation, (1, 5), Status::Applied);
    requester.record(&added, &[told, plain]).await;
    let expected = |index: u32| ShopOutcome {
        index,
        shop: ids[index as usize].clone(),
        slot: match index {
            2 => Slot::Closed(Status::Rejected),
            5 => Slot::Closed(Status::Applied),
            _ => Slot::Open,
        },
        code: (index == 2).then_some(Code::UnknownShop),
        message: (index == 2).then(|| "no trace of it".into()),
    };
    let all: Vec<ShopOutcome> = (0..7).map(expected).collect();
    for limit in [1, 2, 3, 7, 100] {
        assert_eq!(pages(&store, &added, ACTIVATIONS, limit).await, all, "pages of {limit}");
    }
    let releases = OutcomeFilter { phase: Phase::Release, status: None };
    let releases = pages(&store, &added, releases, 2).await;
    assert!(releases.iter().all(|outcome| outcome.slot == Slot::Idle));
    assert_eq!(releases.len(), 7);
}

/// With a filter, pages of any size are what a caller would keep of all outcomes.
pub async fn outcomes_are_filtered(harness: &dyn StoreHarness) {
    let store = harness.store();
    let mut ids = Vec::new();
    for lane in store.shops.lanes().iter().take(4) {
        ids.extend(shops_in(&store, lane, 3).await);
    }
    let added = campaign(&store, &ids).await;
    let mut requester = Requester::of(&store, 0, 1).await;
    requester.open().await;
    requester.mark(&added, Phase::Activation, &[0, 1, 2, 3]).await;
    // Of the chunks, one has no open shop, one has nothing else, and two have both.
    let answers = [(0, 0), (0, 1), (0, 2), (1, 4), (3, 9), (3, 11)].map(|place| {
        let status = if place.1 % 2 == 0 { Status::Applied } else { Status::Rejected };
        answer(&added, Phase::Activation, place, status)
    });
    requester.record(&added, &answers).await;
    for ending in [false, true] {
        if ending {
            store.campaigns.command(added.name.revision, Command::End).await.unwrap();
        }
        for phase in [Phase::Activation, Phase::Release] {
            let any = OutcomeFilter { phase, status: None };
            let all = pages(&store, &added, any, 100).await;
            let closed = Status::ALL.iter().map(|status| Slot::Closed(*status));
            for slot in closed.chain([Slot::Idle, Slot::Open]) {
                let wanted = all.iter().filter(|outcome| outcome.slot == slot);
                let wanted: Vec<ShopOutcome> = wanted.cloned().collect();
                let filter = OutcomeFilter { status: Some(slot), ..any };
                for limit in [1, 2, 3, 100] {
                    let found = pages(&store, &added, filter, limit).await;
                    assert_eq!(found, wanted, "{filter:?}, pages of {limit}");
                }
            }
        }
    }
}

/// What is damaged is named by every way to ask, and the rest is told.
pub async fn damage_is_named_and_left_out(harness: &dyn StoreHarness) {
    let store = harness.store();
    let lanes = store.shops.lanes();
    let mut ids = Vec::new();
    for lane in lanes.iter().take(3) {
        ids.extend(shops_in(&store, lane, 2).await);
    }
    let [one, other] = [campaign(&store, &ids).await, campaign(&store, &ids).await];
    let revision = one.name.revision;
    let items = [StoredItem::Outcomes(revision, 0), StoredItem::List(revision, 1)];
    for item in &items {
        harness.damage(item).await;
    }
    let tallies = store.campaigns.tallies(revision).await.unwrap();
    assert_eq!(tallies.found.activation.open, 4);
    assert_eq!(tallies.damaged.iter().map(|d| &d.item).collect::<Vec<_>>(), [&items[0]]);
    let outcomes = store.campaigns.outcomes(revision, ACTIVATIONS, 0, 100).await.unwrap();
    let places: Vec<u32> = outcomes.found.iter().map(|outcome| outcome.index).collect();
    assert_eq!(places, [4, 5]);
    let named: Vec<StoredItem> = outcomes.damaged.into_iter().map(|d| d.item).collect();
    assert_eq!(named, items);
    check_damaged(&store, revision).await;

    let item = StoredItem::Campaign(other.name.revision);
    harness.damage(&item).await;
    let listed = store.campaigns.list(None, 99).await.unwrap();
    assert_eq!(listed.found, [one]);
    assert_eq!(listed.damaged.into_iter().map(|d| d.item).collect::<Vec<_>>(), [item]);
    let got = store.campaigns.get(other.name.revision).await;
    assert!(matches!(got, Err(StoreError::BadData { .. })), "{got:?}");
    check_damaged(&store, other.name.revision).await;
}

/// A damaged campaign is not commanded.
async fn check_damaged(store: &Store, revision: Revision) {
    for command in [Command::End, Command::GiveUp] {
        let result = store.campaigns.command(revision, command).await;
        let is_bad = matches!(result, Err(CommandError::Store(StoreError::BadData { .. })));
        assert!(is_bad, "{result:?}");
    }
}

/// All pages of a campaign's outcomes. Behind a page that is not full there is nothing.
async fn pages(
    store: &Store,
    campaign: &Campaign,
    filter: OutcomeFilter,
    limit: usize,
) -> Vec<ShopOutcome> {
    let (mut outcomes, mut from, mut is_over) = (Vec::new(), 0, false);
    loop {
        let revision = campaign.name.revision;
        let page = store.campaigns.outcomes(revision, filter, from, limit).await.unwrap().found;
        assert!(page.len() <= limit && page.iter().all(|outcome| from <= outcome.index));
        let Some(last) = page.last() else { return outcomes };
        assert!(!is_over, "more behind a page that is not full");
        is_over = page.len() < limit;
        from = last.index + 1;
        outcomes.extend(page);
    }
}

async fn get(store: &Store, campaign: &Campaign) -> Campaign {
    store.campaigns.get(campaign.name.revision).await.unwrap().unwrap()
}

/// The frozen list of a campaign.
async fn list_of(store: &Store, campaign: &Campaign) -> Vec<ShopId> {
    let outcomes = pages(store, campaign, ACTIVATIONS, 1_000).await;
    outcomes.into_iter().map(|outcome| outcome.shop).collect()
}

/// Lane, first place and number of shops of each chunk; their lists have as many.
async fn in_chunks(store: &Store, campaign: &Campaign) -> Vec<(Lane, u32, u32)> {
    let revision = campaign.name.revision;
    let chunks = store.campaign_ledger.chunks(revision).await.unwrap().found;
    let numbers: Vec<u32> = (0..=9).collect();
    let lists = store.campaign_ledger.lists(revision, &numbers).await.unwrap().found;
    let sizes: BTreeMap<u32, usize> = lists.iter().map(|(n, list)| (*n, list.len())).collect();
    assert!(chunks.iter().all(|chunk| chunk.open == chunk.shops));
    assert!(sizes.into_iter().eq((0..).zip(chunks.iter().map(|chunk| chunk.shops as usize))));
    chunks.into_iter().map(|chunk| (chunk.lane, chunk.first, chunk.shops)).collect()
}

/// Sends a campaign of one chunk and answers each of its shops so.
async fn settle(store: &Store, campaign: &Campaign, status: Status) {
    let mut requester = Requester::of(store, 0, 1).await;
    requester.open().await;
    requester.mark(campaign, Phase::Activation, &[0]).await;
    let places = 0..campaign.shops;
    let answers = places.map(|index| answer(campaign, Phase::Activation, (0, index), status));
    requester.record(campaign, &answers.collect::<Vec<_>>()).await;
    assert_eq!(get(store, campaign).await.state, CampaignState::Settled);
}

/// Releases that were given up are asked for again, and nothing but those.
async fn check_released_again(store: &Store, ended: &Campaign) {
    let (before, revision) = (get(store, ended).await, ended.name.revision);
    let again = store.campaigns.command(revision, Command::Retry).await.unwrap();
    assert_eq!((again.state, again.attempt), (CampaignState::Ending { open: 2 }, Attempt(3)));
    assert_eq!(again.deadline, before.deadline);
    let tallies = store.campaigns.tallies(revision).await.unwrap().found;
    assert_eq!((tallies.activation.of(Status::Failed), tallies.release.open), (2, 2));
    let mut requester = Requester::of(store, 0, 1).await;
    assert_eq!(requester.open().await, slice::from_ref(&again));
    assert_eq!(requester.mark(&again, Phase::Release, &[0]).await.len(), 1);
    let places = 0..again.shops;
    let answers = places.map(|index| answer(&again, Phase::Release, (0, index), Status::Applied));
    requester.record(&again, &answers.collect::<Vec<_>>()).await;
    assert_eq!(get(store, ended).await.state, CampaignState::Ended);
}

/// The command is refused so, and the campaign is what it was.
async fn check_refused(store: &Store, campaign: &Campaign, command: Command, why: CampaignError) {
    let before = get(store, campaign).await;
    let refused = store.campaigns.command(campaign.name.revision, command).await;
    assert!(matches!(refused, Err(CommandError::Campaign(error)) if error == why), "{refused:?}");
    assert_eq!(get(store, campaign).await, before);
}

/// Lets a deadline so far ahead pass, and puts the clock back to where it was.
async fn raise_mark(
    harness: &dyn StoreHarness,
    store: &Store,
    shop: &ShopId,
    ahead: Duration,
) -> Deadline {
    let mark = Deadline::at(harness.now().saturating_add(ahead));
    harness.advance(ahead + Duration::from_secs(1));
    Owner::of(store, LANE).await.change(shop, narrow_by("1km", mark)).await;
    harness.step_back(ahead + Duration::from_secs(1));
    mark
}
