//! Use cases around shops.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catchment_application::{
    Bound, CauseDetails, ImportRules, ImportedShops, ShopRelease, UseCaseError, audit,
    import_shops, list_shops, release_shop, repair, shop_details,
};
use catchment_domain::ports::{ShopLedger, ShopRepository};
use catchment_domain::service::AuditPorts;
use catchment_domain::{
    ActiveCause, Attempt, Batch, CauseName, Change, DecidedBy, Effect, ImportBatch, ImportOrder,
    ImportTerms, Imported, Lane, Lanes, Limit, Loaded, Location, LogIdentity, Mended, Nonce,
    Origin, Outcome, Phase, Policy, Profile, Prospect, Radius, Rank, RepairTerms, Request,
    RequestRecord, ReturnAddress, Revision, Scope, ShopId, ShopImport, Status, StoredItem,
    StrayCause, Ticket, Timestamp, TriggerRule,
};
use catchment_memory::{ManualClock, MemoryStore};

const RULES: ImportRules =
    ImportRules { overrules: false, default_base: Radius::CLOSED, floor: Radius::CLOSED };

fn store(lanes: u16) -> MemoryStore {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    MemoryStore::new(Lanes(lanes.try_into().unwrap()), clock, Duration::from_hours(1))
}

fn metres(metres: u32) -> Radius {
    metres.try_into().unwrap()
}

fn id(text: &str) -> ShopId {
    text.parse().unwrap()
}

fn row(shop: &str, base: Option<u32>) -> ShopImport {
    let [name, category, region] = ["Acorn", "cafe", "Hackney"].map(str::to_owned);
    let location = Location::new(51.5, -0.1).unwrap();
    let profile = Profile { name, category, region, location };
    ShopImport { id: id(shop), profile, base: base.map(metres) }
}

/// Makes the shops a to f in one lane, with a base radius of 5 km.
async fn city() -> MemoryStore {
    let store = store(1);
    let rows = ["a", "b", "c", "d", "e", "f"].map(|shop| row(shop, Some(5_000)));
    let result = import_shops(&store, rows, RULES).await.unwrap();
    assert_eq!(result.imported, Imported { added: 6, updated: 0 });
    store
}

fn policy() -> Policy {
    let rule = TriggerRule { rank: Rank(1), default_limit: None };
    Policy { floor: metres(500), triggers: [("manual".parse().unwrap(), rule)].into() }
}

fn cause(origin: Origin, rank: u8, limit: &str) -> ActiveCause {
    let (kind, limit) = ("manual".parse().unwrap(), limit.parse::<Limit>().unwrap());
    ActiveCause { origin, kind, rank: Rank(rank), limit, effect: Effect::Applied }
}

/// Puts causes in force at a shop, without a campaign that asks for them.
async fn force(store: &MemoryStore, shop: &str, causes: Vec<ActiveCause>) {
    let decide = |_: &Batch, loaded: &mut Loaded| -> Vec<Outcome> {
        for loaded in &mut loaded.shops {
            let state = loaded.state.as_mut().unwrap();
            state.active.extend(causes.clone());
            state.radius = state.resolution(policy().floor).radius;
            state.version += 1;
            loaded.changed = true;
        }
        let (status, code, detail) = (Status::Applied, None, None);
        vec![Outcome { status, code, detail, standing: None, repeat: false }]
    };
    let log = LogIdentity { id: 1, lasting: false };
    let claim = store.claim(Lane(0), log, None).await.unwrap();
    let ticket = Ticket {
        revision: Revision(99),
        phase: Phase::Activation,
        attempt: Attempt::FIRST,
        index: 0,
        nonce: Nonce::from_random(7),
    };
    let change = Change::ReleaseKind { kind: "manual".parse().unwrap(), deadline: None };
    let record = RequestRecord {
        position: claim.applied_next,
        id: ticket.id(),
        return_address: ReturnAddress::default(),
        request: Ok(Request { id: ticket.id(), shop: id(shop), change }),
    };
    let (from, replied) = (claim.applied_next, claim.replied_next);
    let batch = Batch::new((Lane(0), claim.epoch), from, replied, vec![record]);
    store.apply(&batch, &decide).await.unwrap();
}

#[tokio::test]
async fn an_import_leaves_out_the_one_damaged_shop_of_a_batch() {
    let store = city().await;
    store.spoil(&id("c"));
    let rows = ["a", "b", "c", "d", "e", "f", "g"].map(|shop| row(shop, Some(4_000)));
    let ImportedShops { imported, kept, damaged } =
        import_shops(&store, rows, RULES).await.unwrap();
    assert_eq!((imported, kept), (Imported { added: 1, updated: 5 }, Vec::new()));
    let items: Vec<_> = damaged.into_iter().map(|damage| damage.item).collect();
    assert_eq!(items, [StoredItem::State("c".to_owned())]);
}

#[tokio::test]
async fn an_import_names_the_shops_that_keep_newer_base_radii_unless_it_overrules() {
    let store = city().await;
    let order = ImportOrder::Taken(Revision(1_000));
    let terms = ImportTerms { order, default_base: Radius::CLOSED, floor: Radius::CLOSED };
    for batch in ImportBatch::split(vec![row("b", Some(9_000))], store.lanes()) {
        store.import(&batch, terms).await.unwrap();
    }
    let rows = || ["a", "b"].map(|shop| row(shop, Some(4_000)));
    let result = import_shops(&store, rows(), RULES).await.unwrap();
    assert_eq!(result.kept, [(id("b"), Revision(1_000))]);
    let rules = ImportRules { overrules: true, ..RULES };
    let result = import_shops(&store, rows(), rules).await.unwrap();
    assert_eq!((result.kept, result.imported), (Vec::new(), Imported { added: 0, updated: 2 }));
    let shop = store.get(&id("b")).await.unwrap().unwrap();
    assert_eq!(shop.state.base.radius, metres(4_000));
}

#[tokio::test]
async fn pages_hold_every_shop_once_and_name_the_damaged_ones() {
    let store = store(4);
    let ids: Vec<String> = (0..11).map(|number| format!("shop-{number:02}")).collect();
    let rows: Vec<_> = ids.iter().map(|shop| row(shop, Some(5_000))).collect();
    import_shops(&store, rows, RULES).await.unwrap();
    store.spoil(&id("shop-03"));
    for limit in [1, 2, 5, 10, 11, 50] {
        let (mut found, mut damaged, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let range = (after.as_ref(), limit);
            let page = list_shops(&store, &Scope::everything(), range, metres(500)).await.unwrap();
            assert!(page.items.iter().all(|listed| listed.decided_by == DecidedBy::Base));
            found.extend(page.items.into_iter().map(|listed| listed.shop.id.to_string()));
            damaged.extend(page.damaged);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort();
        let readable: Vec<String> = ids.iter().filter(|shop| *shop != "shop-03").cloned().collect();
        assert_eq!((found, damaged.len()), (readable, 1), "pages of {limit}");
    }
}

#[tokio::test]
async fn the_causes_of_a_shop_come_with_the_deciding_one_first_and_what_bounds_it() {
    let campaign = |revision| Origin::Campaign(Revision(revision));
    for (causes, decides, bound, order) in [
        (vec![], None, None, vec![]),
        (vec![cause(Origin::Request, 1, "9km")], Some(9_000), Some(Bound::Base), vec![9_000]),
        (vec![cause(Origin::Request, 1, "100m")], Some(100), Some(Bound::Floor), vec![100]),
        (
            vec![
                cause(campaign(2), 1, "1km"),
                cause(campaign(3), 2, "50%"),
                cause(campaign(4), 2, "2km"),
            ],
            Some(2_000),
            None,
            vec![2_000, 2_500, 1_000],
        ),
    ] {
        let store = city().await;
        force(&store, "a", causes).await;
        let details = shop_details((&store, &store), &id("a"), policy().floor).await.unwrap();
        let asked = |known: &CauseDetails| known.asks_for.metres();
        assert_eq!(details.deciding().map(asked), decides);
        assert_eq!(details.bound, bound);
        assert_eq!(details.causes.iter().map(asked).collect::<Vec<_>>(), order);
        assert!(details.causes.iter().all(|known| known.campaign.is_none()));
    }
    let unknown = shop_details((&city().await, &store(1)), &id("x"), policy().floor).await;
    assert!(matches!(unknown, Err(UseCaseError::NotFound(_))), "{unknown:?}");
}

#[tokio::test]
async fn a_release_ends_a_limit_once_and_says_what_may_come() {
    let store = city().await;
    force(&store, "a", vec![cause(Origin::Campaign(Revision(99)), 1, "1km")]).await;
    let release =
        async |shop: &str, cause| release_shop((&store, &store), &id(shop), cause, &policy()).await;
    let campaign = CauseName::Campaign(Revision(99));
    let released = release("a", campaign).await.unwrap();
    let ShopRelease::Released(standing) = released else { panic!("{released:?}") };
    assert_eq!((standing.before, standing.after), (Some(metres(1_000)), metres(5_000)));
    let again = release("a", campaign).await.unwrap();
    assert_eq!(again, ShopRelease::NotInForce(Prospect::UnknownCampaign));
    assert!(released.is_over() && !again.is_over());
    let nothing = release("a", CauseName::Kind("manual".parse().unwrap())).await.unwrap();
    assert!(nothing.is_over(), "{nothing:?}");
    let stranger = release("x", campaign).await;
    assert!(matches!(stranger, Err(UseCaseError::NotFound(_))), "{stranger:?}");
    let misspelt = release("a", CauseName::Kind("manul".parse().unwrap())).await;
    let Err(UseCaseError::Invalid(field)) = misspelt else { panic!("{misspelt:?}") };
    assert_eq!((field.field, field.nearest), ("kind", vec!["manual".to_owned()]));
}

#[tokio::test]
async fn an_audit_names_limits_that_no_campaign_will_end() {
    let store = city().await;
    let ports = AuditPorts { shops: &store, campaigns: &store, ledger: &store };
    assert!(audit(ports, &[]).await.unwrap().is_fine());
    force(&store, "a", vec![cause(Origin::Campaign(Revision(99)), 1, "1km")]).await;
    let found = audit(ports, &[]).await.unwrap();
    assert!(!found.is_fine());
    let [stray] = &found.strays[..] else { panic!("{found:?}") };
    assert_eq!((&stray.shop, stray.why), (&id("a"), StrayCause::UnknownCampaign));
    let unknown = audit(ports, &[Revision(7)]).await;
    assert!(matches!(unknown, Err(UseCaseError::NotFound(_))), "{unknown:?}");
}

#[tokio::test]
async fn a_repair_counts_what_it_mended_and_a_dry_run_leaves_the_damage() {
    let store = city().await;
    store.spoil(&id("a"));
    let default_base = metres(5_000);
    for (dry_run, counts, is_whole) in
        [(true, (1, 0), false), (false, (1, 0), true), (false, (0, 0), true)]
    {
        let policy = Policy { floor: Radius::CLOSED, triggers: BTreeMap::new() };
        let terms = RepairTerms { policy, default_base, dry_run };
        let found = repair(&store, &terms).await.unwrap();
        assert_eq!((found.counts(), found.is_whole()), (counts, is_whole), "{found:?}");
        let states = found.findings.iter();
        assert!(states.clone().all(|one| matches!(one.result, Ok(Mended::State { .. }))));
        assert!(found.open_campaigns().is_empty());
    }
}
