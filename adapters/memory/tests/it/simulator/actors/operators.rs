//! Operators who start, end, retry and give up campaigns, who release single causes, and who bring
//! shops in.

use std::sync::Arc;
use std::time::Duration;

use catchment_domain::ports::{CampaignRepository, Clock, OutcomeFilter, ShopRepository};
use catchment_domain::service::{Unwanted, delete_campaigns};
use catchment_domain::{
    Campaign, CampaignError, CampaignId, CampaignState, Command, Draft, ImportBatch, ImportOrder,
    Limit, Nonce, Phase, Revision, Scope, ShopImport, Slot, TriggerKind,
};
use uuid::Uuid;

use super::Exit;
use super::releases::release_any;
use crate::simulator::coverage::Met;
use crate::simulator::gate::Gate;
use crate::simulator::truth;
use crate::simulator::world::{KINDS, World, kind, limit, terms};

const LIMITS: [&str; 7] = ["closed", "300m", "1km", "2km", "3km", "50%", "90%"];

/// Does a few things to campaigns, whenever.
pub(crate) async fn operate(world: Arc<World>, gate: Arc<Gate>) -> Exit {
    for _ in 0..world.params.actions {
        gate.sleep(Duration::from_millis(world.dice.below(400))).await;
        let campaigns =
            CampaignRepository::list(&*world.store, None, usize::MAX).await.unwrap().found;
        gate.after("list").await;
        if campaigns.is_empty() || world.dice.chance(3_500) {
            start(&world, &campaigns).await;
        } else if world.dice.chance(2_500) {
            release_any(&world, &gate, &campaigns).await;
        } else {
            let campaign = world.dice.pick(&campaigns);
            let wanted = any_command(&world, campaign);
            command(&world, campaign.name.revision, wanted).await;
        }
        gate.after("operate").await;
    }
    Exit::Done
}

/// Mostly one that the campaign's state allows.
fn any_command(world: &World, campaign: &Campaign) -> Command {
    let dice = &world.dice;
    *match campaign.state {
        CampaignState::Settled => dice.pick(&[Command::Retry, Command::Retry, Command::End]),
        CampaignState::Sending { .. } => {
            dice.pick(&[Command::End, Command::End, Command::GiveUp, Command::Retry])
        }
        CampaignState::Ending { .. } | CampaignState::Ended => {
            dice.pick(&[Command::GiveUp, Command::Retry, Command::End])
        }
    }
}

/// Ends everything that can be ended.
pub(crate) async fn end_everything(world: &World) {
    for campaign in CampaignRepository::list(&*world.store, None, usize::MAX).await.unwrap().found {
        if !campaign.state.is_ending_or_ended() {
            command(world, campaign.name.revision, Command::End).await;
        }
    }
}

/// Releases again what was not released.
pub(crate) async fn release_again(world: &World) {
    for campaign in CampaignRepository::list(&*world.store, None, usize::MAX).await.unwrap().found {
        command(world, campaign.name.revision, Command::Retry).await;
    }
}

async fn start(world: &World, campaigns: &[Campaign]) {
    let dice = &world.dice;
    let replaces =
        (!campaigns.is_empty() && dice.chance(3_500)).then(|| dice.pick(campaigns).name.revision);
    let until = dice
        .chance(2_500)
        .then(|| world.store_clock.now().saturating_add(Duration::from_millis(dice.below(3_000))));
    let timeout = *dice.pick(&[1, 30, 200, 1_000, 5_000, 60_000, 600_000]);
    let timeout = Duration::from_millis(timeout);
    add(world, Draft { timeout, until, replaces, ..draft(world, scope(world)) }).await;
}

/// Starts a campaign over a scope, with time enough.
pub(crate) async fn start_over(world: &World, scope: Scope) {
    add(world, draft(world, scope)).await;
}

fn draft(world: &World, scope: Scope) -> Draft {
    let dice = &world.dice;
    Draft {
        kind: any_kind(world),
        limit: any_limit(world),
        scope,
        reason: String::new(),
        timeout: Duration::from_mins(10),
        until: None,
        replaces: None,
        id: CampaignId(Uuid::from_u128(dice.number128())),
        nonce: Nonce::from_random(dice.number()),
    }
}

async fn add(world: &World, draft: Draft) {
    let added = world.store.add(&draft).await;
    if let Ok(campaign) = &added {
        let shops = truth::list(world, campaign.name.revision);
        let mut witness = world.witness();
        witness.coverage.met(Met::Campaign);
        witness.began(campaign, shops);
    }
    let mut witness = world.witness();
    witness.note(|| format!("  started {added:?}"));
}

pub(super) fn any_kind(world: &World) -> TriggerKind {
    if world.dice.chance(200) {
        return kind("unheard_of");
    }
    kind(world.dice.pick(&KINDS).0)
}

pub(crate) fn any_limit(world: &World) -> Limit {
    limit(world.dice.pick::<&str>(&LIMITS))
}

fn scope(world: &World) -> Scope {
    let dice = &world.dice;
    let mut scope = Scope::everything();
    match dice.below(4) {
        0 => {}
        1 => {
            scope.regions.insert((*dice.pick(&["north", "east", "south"])).into());
        }
        _ => {
            let some = world.shops.iter().filter(|_| dice.chance(6_000)).cloned();
            scope.ids = Some(some.chain([dice.pick(&world.shops).clone()]).collect());
        }
    }
    scope
}

pub(super) async fn command(world: &World, campaign: Revision, command: Command) {
    let done = world.store.command(campaign, command).await;
    if let Ok(campaign) = &done {
        truth::check_campaign(world, campaign, false);
    }
    let mut witness = world.witness();
    witness.note(|| format!("  {command:?} #{campaign}: {done:?}"));
    if let Ok(campaign) = &done {
        match command {
            Command::Retry if campaign.state.is_ending_or_ended() => witness.asks_again(campaign),
            Command::Retry => witness.asks_with_more_time(campaign),
            Command::End | Command::GiveUp => {}
        }
        witness.coverage.met(match command {
            Command::End => Met::End,
            Command::Retry => Met::Retry,
            Command::GiveUp => Met::GiveUp,
        });
    }
}

/// Deletes every campaign that can be deleted: what has ended is in force nowhere by now.
pub(crate) async fn delete_everything(world: &World) {
    let all = Unwanted::EndedFor(Duration::ZERO);
    let deletion = delete_campaigns(&*world.store, all, false).await.unwrap();
    let mut witness = world.witness();
    witness.note(|| format!("  {deletion:?}"));
    witness.coverage.add(Met::Deletion, deletion.deleted.len() as u64);
    let in_force = |why: &CampaignError| matches!(why, CampaignError::InForce(_));
    let is_refused = deletion.kept.iter().any(|(_, why)| in_force(why));
    witness.check(!is_refused, "I5", || format!("not everything was deleted: {deletion:?}"));
}

/// Imports some shops, or all: known shops, some with another base radius, and new shops. Some
/// imports overrule the base radii that were set meanwhile. Other actors may run between two
/// batches.
pub(crate) async fn import(world: Arc<World>, gate: Arc<Gate>) -> Exit {
    let dice = &world.dice;
    let order = if dice.chance(3_000) {
        ImportOrder::Overruling
    } else {
        let revision = world.store.take_revision().await.unwrap();
        world.witness().given_out(revision);
        ImportOrder::Taken(revision)
    };
    gate.sleep(Duration::from_millis(dice.below(100))).await;
    let share = *dice.pick(&[4_000, 10_000]);
    let shops = world.shops.iter().filter(|_| dice.chance(share));
    let rows: Vec<ShopImport> = shops.map(|shop| world.row(shop, base(&world))).collect();
    for part in rows.chunks(3) {
        for batch in ImportBatch::split(part.to_vec(), world.lanes) {
            let receipt = world.store.import(&batch, terms(order)).await.unwrap();
            world.witness().imported((batch.rows(), order), &receipt, &world.store.shops());
            note_campaigns(&world, batch.rows()).await;
            gate.after("import").await;
        }
    }
    Exit::Done
}

/// Notes whether rows were brought in that a campaign was at work on.
async fn note_campaigns(world: &World, rows: &[ShopImport]) {
    for campaign in CampaignRepository::list(&*world.store, None, usize::MAX).await.unwrap().found {
        let (phase, met) = match campaign.state {
            CampaignState::Sending { .. } => (Phase::Activation, Met::ImportWhileSending),
            CampaignState::Ending { .. } => (Phase::Release, Met::ImportWhileEnding),
            CampaignState::Settled | CampaignState::Ended => continue,
        };
        let (revision, filter) = (campaign.name.revision, OutcomeFilter { phase, status: None });
        let outcomes = world.store.outcomes(revision, filter, 0, usize::MAX).await.unwrap().found;
        let mut open = outcomes.iter().filter(|outcome| outcome.slot == Slot::Open);
        if open.any(|outcome| rows.iter().any(|row| row.id == outcome.shop)) {
            world.witness().coverage.met(met);
        }
    }
}

fn base(world: &World) -> Option<u32> {
    *world.dice.pick(&[None, Some(0), Some(350), Some(2_500), Some(6_000)])
}
