//! Forgers read the messages of requesters and consumers, and write messages that look like them.

use std::sync::Arc;
use std::time::Duration;

use catchment_domain::{
    Attempt, CampaignId, CampaignRef, Change, Deadline, Nonce, Outcome, Phase, Radius, Replaced,
    Request, RequestId, ReturnAddress, Revision, ShopId, Status, Ticket, Timestamp,
};
use uuid::Uuid;

use super::Exit;
use super::clients::{any, any_request_id, pick};
use super::operators::{any_kind, any_limit};
use crate::simulator::coverage::Met;
use crate::simulator::gate::Gate;
use crate::simulator::world::World;

/// A request that was sent for a campaign, with one alteration or for another shop, and with the
/// address of its requester; `None` if no request was sent.
pub(super) fn forged(world: &World) -> Option<(Request, ReturnAddress)> {
    let dice = &world.dice;
    let mut sent = world.witness().sent.clone();
    sent.retain(|(request, _)| {
        request.change.campaign().is_some() && Ticket::read(request.id).is_some()
    });
    let (mut request, address) = any(world, &sent)?;
    let ticket = Ticket::read(request.id)?;
    match dice.below(8) {
        0..=1 => request.change = other_wish(world, request.change),
        2 => request.id = other_id(world, ticket),
        3 => request.change = other_deadline(world, request.change),
        4 => {
            // An earlier attempt may have any deadline that is not later than the campaign's.
            request.id = Ticket { attempt: Attempt::FIRST, ..ticket }.id();
            request.change = other_deadline(world, request.change);
        }
        5 => (request.id, request.change) = released(ticket, request.change),
        6 => request.change = without_campaign(world),
        _ => request.shop = other_shop(world, ticket.revision),
    }
    Some((request, address))
}

/// Any shop, or one at which a command released the campaign.
fn other_shop(world: &World, campaign: Revision) -> ShopId {
    let released = world.witness().released_shops(campaign);
    if released.is_empty() || world.dice.chance(5_000) {
        return world.dice.pick(&world.shops).clone();
    }
    world.dice.pick(&released).clone()
}

/// The same campaign's activation with another kind, another limit or another replaced campaign.
fn other_wish(world: &World, change: Change) -> Change {
    let Change::Activate { campaign, kind, limit, deadline, replaces } = change else {
        return other_deadline(world, change);
    };
    let (mut kind, mut limit, mut replaces) = (kind, limit, replaces);
    match world.dice.below(3) {
        0 => kind = any_kind(world),
        1 => limit = any_limit(world),
        _ => {
            let older = CampaignRef {
                revision: Revision(campaign.revision.0.saturating_sub(1)),
                id: CampaignId(Uuid::from_u128(world.dice.number128())),
            };
            let another = Replaced { campaign: older, deadline };
            replaces = if replaces.is_some() { None } else { Some(another) };
        }
    }
    Change::Activate { campaign, kind, limit, deadline, replaces }
}

/// The same change with a later or an earlier deadline.
fn other_deadline(world: &World, change: Change) -> Change {
    let step = Duration::from_millis(*world.dice.pick(&[1, 50, 1_000, 3_600_000]));
    let is_later = world.dice.chance(5_000);
    let moved = |deadline: Deadline| {
        let instant = deadline.instant();
        let earlier = instant.millis() - i64::try_from(step.as_millis()).unwrap();
        let earlier = Timestamp::from_millis(earlier);
        Deadline::at(if is_later { instant.saturating_add(step) } else { earlier })
    };
    match change {
        Change::Activate { campaign, kind, limit, deadline, replaces } => {
            let deadline = moved(deadline);
            Change::Activate { campaign, kind, limit, deadline, replaces }
        }
        Change::Release { campaign, deadline } => {
            Change::Release { campaign, deadline: moved(deadline) }
        }
        without_campaign => without_campaign,
    }
}

/// An id that the campaign never made, or made for another request.
fn other_id(world: &World, ticket: Ticket) -> RequestId {
    let dice = &world.dice;
    match dice.below(6) {
        0 => any_request_id(world),
        1 => Ticket { nonce: Nonce::from_random(dice.number()), ..ticket }.id(),
        2 => Ticket { attempt: Attempt(ticket.attempt.0 + 1), ..ticket }.id(),
        3 => Ticket { index: ticket.index + 1_000, ..ticket }.id(),
        4 => Ticket { revision: Revision(ticket.revision.0 + 1), ..ticket }.id(),
        _ => {
            let phase = match ticket.phase {
                Phase::Activation => Phase::Release,
                Phase::Release => Phase::Activation,
            };
            Ticket { phase, ..ticket }.id()
        }
    }
}

/// The release of a campaign at a shop that was asked to activate it.
fn released(ticket: Ticket, change: Change) -> (RequestId, Change) {
    let id = Ticket { phase: Phase::Release, ..ticket }.id();
    match change {
        Change::Activate { campaign, deadline, .. } => (id, Change::Release { campaign, deadline }),
        change => (id, change),
    }
}

/// A change without a campaign; the request keeps the id of the campaign's request.
fn without_campaign(world: &World) -> Change {
    match world.dice.below(3) {
        0 => {
            Change::ActivateKind { kind: any_kind(world), limit: any_limit(world), deadline: None }
        }
        1 => Change::ReleaseKind { kind: any_kind(world), deadline: None },
        _ => Change::SetBase { revision: Revision(1), radius: Radius::CLOSED, deadline: None },
    }
}

/// Sends a forged reply that looks like the reply to a campaign's request.
pub(crate) async fn forge(world: Arc<World>, gate: Arc<Gate>) -> Exit {
    let wires = world.wires();
    gate.before("forge").await;
    let (_, Some((address, mut reply))) = pick(&world) else { return Exit::Done };
    let Some(ticket) = Ticket::read(reply.id) else { return Exit::Done };
    if world.dice.chance(5_000) {
        reply.id = Ticket { nonce: Nonce::from_random(world.dice.number()), ..ticket }.id();
    } else {
        reply.shop = reply.shop.map(|shop| format!("{shop}-forged").parse().unwrap());
    }
    let status = *world.dice.pick(&Status::ALL);
    reply.outcome = Outcome { status, ..reply.outcome };
    world.witness().coverage.met(Met::Forgery);
    let _ = wires.answer(vec![(address, reply)]).await;
    Exit::Done
}
