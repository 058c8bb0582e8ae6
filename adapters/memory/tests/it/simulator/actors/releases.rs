//! Commands that release any cause at any shop, and commands that release what an audit finds.

use std::sync::Arc;
use std::time::Duration;

use catchment_domain::ports::{CampaignRepository, Repairs, ShopRepository};
use catchment_domain::{
    Campaign, CampaignState, CauseName, Change, Command, ReleaseResult, ReleaseTerms, Request,
    ReturnAddress, Revision, ShopId, StrayCause, find_stray,
};

use super::Exit;
use super::clients::any_request_id;
use super::operators::{any_kind, any_limit, command};
use crate::simulator::coverage::Met;
use crate::simulator::gate::Gate;
use crate::simulator::gated::deliver;
use crate::simulator::truth;
use crate::simulator::witness::causes;
use crate::simulator::world::{KINDS, World, floor, kind};

/// A little longer than a release by command must be remembered.
const LONG: Duration = Duration::from_hours(2);

/// Releases any cause at any shop, whatever its campaign is doing. The cause is mostly in force
/// there. At times the campaign cannot be read, at times the command runs twice, and at times the
/// release is forgotten before the campaign asks again.
pub(super) async fn release_any(world: &World, gate: &Gate, campaigns: &[Campaign]) {
    let dice = &world.dice;
    let in_force = in_force(world);
    let (shop, cause) = if in_force.is_empty() || dice.chance(2_000) {
        (dice.pick(&world.shops).clone(), any_cause(world, campaigns))
    } else {
        dice.pick(&in_force).clone()
    };
    let damaged = match cause {
        CauseName::Campaign(revision) if dice.chance(1_500) => Some(revision),
        CauseName::Campaign(_) | CauseName::Kind(_) => None,
    };
    if let Some(revision) = damaged {
        world.store.spoil_campaign(revision);
        world.witness().is_damaged(revision);
    }
    release(world, gate, &shop, cause).await;
    if let Some(revision) = damaged {
        world.store.unspoil_campaign(revision);
        world.witness().is_restored(revision);
    }
    if dice.chance(2_000) {
        release(world, gate, &shop, cause).await;
    }
    // If the log ends with its process, this operator may outlive it, and cannot send the copy.
    if let CauseName::Campaign(revision) = cause
        && !world.params.passing
        && dice.chance(1_000)
    {
        let_come_back(world, gate, &shop, revision).await;
    }
}

/// Lets a release be forgotten: time passes, and another request changes the shop. Then the
/// campaign is retried, and a copy of its new activation comes to the shop.
async fn let_come_back(world: &World, gate: &Gate, shop: &ShopId, campaign: Revision) {
    world.pass_time(LONG);
    command(world, campaign, Command::Retry).await;
    let (kind, limit) = (any_kind(world), any_limit(world));
    let (id, shop) = (any_request_id(world), shop.clone());
    let change = Change::ActivateKind { kind, limit, deadline: None };
    let address = ReturnAddress::default();
    send(world, gate, (Request { id, shop: shop.clone(), change }, address)).await;
    gate.sleep(Duration::from_millis(world.dice.below(300))).await;
    let newest = world.witness().newest_activation(campaign);
    if let Some((newest, address)) = newest {
        send(world, gate, (Request { shop, ..newest }, address)).await;
    }
}

async fn send(world: &World, gate: &Gate, (request, address): (Request, ReturnAddress)) {
    gate.before("send").await;
    world.witness().sent(&request, &address);
    // If the log is gone, the request is lost.
    let _ = deliver(world, &world.wires(), request, &address).await;
}

/// Any cause. It may be in force nowhere, and its campaign may not exist.
fn any_cause(world: &World, campaigns: &[Campaign]) -> CauseName {
    let dice = &world.dice;
    match dice.below(3) {
        0 => CauseName::Kind(kind(dice.pick(&KINDS).0)),
        1 => CauseName::Campaign(Revision(dice.between(1, 100))),
        _ => CauseName::Campaign(dice.pick(campaigns).name.revision),
    }
}

/// Every cause that is in force, with its shop.
fn in_force(world: &World) -> Vec<(ShopId, CauseName)> {
    let mut in_force = Vec::new();
    for shop in world.store.shops() {
        in_force.extend(causes(&shop.state).map(|cause| (shop.id.clone(), cause)));
    }
    in_force
}

async fn release(world: &World, gate: &Gate, shop: &ShopId, cause: CauseName) {
    gate.before("release").await;
    let store = &*world.store;
    let campaign = match cause {
        CauseName::Campaign(revision) => CampaignRepository::get(store, revision).await,
        CauseName::Kind(_) => Ok(None),
    };
    let terms = ReleaseTerms { cause, floor: floor() };
    let done = Repairs::release(store, shop, terms).await.unwrap();
    let lane = world.lanes.lane_of(shop);
    let mut receipts = Vec::new();
    store.visit_import_receipts(lane, &mut |receipt| receipts.push(receipt)).await.unwrap();
    let after = ShopRepository::get(store, shop).await.unwrap().map(|shop| shop.state);
    world.witness().released_by_command((shop, cause), (&done, receipts.last()), after.as_ref());
    if let (ReleaseResult::Done(_), CauseName::Campaign(_)) = (done, cause) {
        let met = match campaign.map(|campaign| campaign.map(|found| found.state)) {
            Err(_) => Met::ReleasedUnread,
            Ok(state) => released_while(state.unwrap()),
        };
        world.witness().coverage.met(met);
    }
    gate.after("release").await;
}

const fn released_while(state: CampaignState) -> Met {
    match state {
        CampaignState::Sending { .. } => Met::ReleasedWhileSending,
        CampaignState::Settled => Met::ReleasedWhileSettled,
        CampaignState::Ending { .. } => Met::ReleasedWhileEnding,
        CampaignState::Ended => Met::ReleasedOnceEnded,
    }
}

/// Releases the stray causes that an audit finds.
pub(crate) async fn audit(world: Arc<World>, gate: Arc<Gate>) -> Exit {
    for (shop, cause) in in_force(&world) {
        let CauseName::Campaign(revision) = cause else { continue };
        let Ok(campaign) = CampaignRepository::get(&*world.store, revision).await else { continue };
        let is_listed = truth::list(&world, revision).contains(&shop);
        let stray = find_stray(campaign.as_ref(), is_listed);
        check_stray(&world, (&shop, revision), stray);
        if stray.is_some() {
            release(&world, &gate, &shop, cause).await;
        }
    }
    Exit::Done
}

/// Checks that causes outside of their campaign's list are stray, and that no cause is stray that
/// its campaign will release.
fn check_stray(world: &World, (shop, revision): (&ShopId, Revision), stray: Option<StrayCause>) {
    let mut witness = world.witness();
    let is_listed = witness.is_listed(revision, shop);
    let holds = match stray {
        None | Some(StrayCause::Ended) => is_listed,
        Some(StrayCause::NotListed) => !is_listed,
        Some(StrayCause::UnknownCampaign) => false,
    };
    if let Some(stray) = stray {
        witness.coverage.met(match stray {
            StrayCause::NotListed => Met::NotListed,
            StrayCause::UnknownCampaign | StrayCause::Ended => Met::NotReleased,
        });
    }
    witness.check(holds, "stray", || {
        format!("campaign {revision} at {shop} is {stray:?}, although listed is {is_listed}")
    });
}
