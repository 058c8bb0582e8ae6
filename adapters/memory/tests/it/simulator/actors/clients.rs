//! Clients that know no campaign, and messages that come twice or too late.

use std::sync::Arc;
use std::time::Duration;

use catchment_domain::ports::{Clock, ShopRepository};
use catchment_domain::{
    CampaignId, CampaignRef, Change, Deadline, Position, Radius, Reply, ReplyLane, Request,
    RequestId, ReturnAddress, Revision,
};
use uuid::Uuid;

use super::Exit;
use super::forgers::forged;
use super::operators::any_limit;
use crate::simulator::coverage::Met;
use crate::simulator::gate::Gate;
use crate::simulator::gated::deliver;
use crate::simulator::wires::{Disguise, Wires};
use crate::simulator::world::{KINDS, World, kind};

/// Sends a few requests: some without a campaign, some forged.
pub(crate) async fn call(world: Arc<World>, gate: Arc<Gate>) -> Exit {
    let wires = world.wires();
    for _ in 0..world.dice.between(1, 4) {
        let forged = if world.dice.chance(5_000) { forged(&world) } else { None };
        let (request, address) = match forged {
            Some(forged) => forged,
            None => (request(&world, &gate).await, address(&world, &wires)),
        };
        world.witness().sent(&request, &address);
        gate.before("call").await;
        if deliver(&world, &wires, request, &address).await.is_err() {
            break;
        }
    }
    Exit::Done
}

/// Any request that no campaign sends.
async fn request(world: &World, gate: &Gate) -> Request {
    let dice = &world.dice;
    let shop = dice.pick(&world.shops).clone();
    let kind = kind(dice.pick(&KINDS).0);
    let (mut id, deadline) = (any_request_id(world), deadline(world));
    let change = match dice.below(11) {
        0..=3 => Change::ActivateKind { kind, limit: any_limit(world), deadline },
        4 | 5 => Change::ReleaseKind { kind, deadline },
        6 | 7 => {
            let revision = world.store.take_revision().await.unwrap();
            world.witness().given_out(revision);
            gate.sleep(Duration::from_millis(dice.below(100))).await;
            let radius = *dice.pick(&[0_u32, 390, 1_500, 5_000, 9_000]);
            Change::SetBase { revision, radius: Radius::try_from(radius).unwrap(), deadline }
        }
        8 => {
            // The next revision, a Unix time in milliseconds, or the highest possible revision.
            let next = Revision(world.witness().newest.0 + 1);
            let revision = *dice.pick(&[next, Revision(1_796_000_000_000), Revision::MAX]);
            Change::SetBase { revision, radius: Radius::CLOSED, deadline }
        }
        9 => {
            let campaign = CampaignRef {
                revision: Revision(dice.between(1, 6)),
                id: CampaignId(Uuid::from_u128(dice.number128())),
            };
            let deadline = deadline.unwrap_or(Deadline::MIN);
            let limit = any_limit(world);
            Change::Activate { campaign, kind, limit, deadline, replaces: None }
        }
        _ => {
            let disguises = [Disguise::Unreadable, Disguise::WrongLane, Disguise::Foreign];
            id = RequestId(Uuid::from_u128(dice.pick(&disguises).mark(id.0.as_u128())));
            Change::ActivateKind { kind, limit: any_limit(world), deadline }
        }
    };
    Request { id, shop, change }
}

/// A random id, as a client makes it.
pub(super) fn any_request_id(world: &World) -> RequestId {
    let dice = &world.dice;
    let id = dice.number128() >> 80 << 80 | 7 << 76 | dice.number128() & 0xfff << 64 | 2 << 62;
    RequestId(Uuid::from_u128(id | u128::from(dice.number() >> 2)))
}

fn deadline(world: &World) -> Option<Deadline> {
    let now = world.store_clock.now();
    let after = Duration::from_millis(world.dice.below(300));
    world.dice.chance(5_000).then(|| Deadline::at(now.saturating_add(after)))
}

/// An address of the client's own, one of a requester, or none.
fn address(world: &World, wires: &Wires) -> ReturnAddress {
    match world.dice.below(3) {
        0 => ReturnAddress::default(),
        1 => ReturnAddress([0xff, 0xff].as_slice().into()),
        _ => wires.address(any_reply_lane(world)),
    }
}

fn any_reply_lane(world: &World) -> ReplyLane {
    ReplyLane(u16::try_from(world.dice.below(u64::from(world.params.reply_lanes))).unwrap())
}

/// Sends an older message, for the first time or once more.
pub(crate) async fn copy(world: Arc<World>, gate: Arc<Gate>) -> Exit {
    let wires = world.wires();
    gate.before("copy").await;
    if world.dice.chance(2_500) {
        let (_, Some((address, reply))) = pick(&world) else { return Exit::Done };
        world.witness().coverage.met(Met::Copy);
        let _ = wires.answer(vec![(address, reply)]).await;
    } else {
        let (Some((request, address)), _) = pick(&world) else { return Exit::Done };
        world.witness().coverage.met(Met::Copy);
        let _ = deliver(&world, &wires, request, &address).await;
    }
    Exit::Done
}

pub(super) type Pick = (Option<(Request, ReturnAddress)>, Option<(ReturnAddress, Reply)>);

pub(super) fn pick(world: &World) -> Pick {
    let witness = world.witness();
    let is_over = |(request, _): &&(Request, ReturnAddress)| witness.is_over(request);
    let mut requests = witness.sent.clone();
    if world.dice.chance(3_000) {
        // Where there are such: activations of what is over, which must not come back.
        let over: Vec<_> = witness.sent.iter().filter(is_over).cloned().collect();
        requests = if over.is_empty() { requests } else { over };
    }
    (any(world, &requests), any(world, &witness.answers))
}

pub(super) fn any<T: Clone>(world: &World, choices: &[T]) -> Option<T> {
    (!choices.is_empty()).then(|| world.dice.pick(choices).clone())
}

/// Sends every request once more, in any order.
pub(crate) async fn deliver_everything_again(world: Arc<World>, gate: Arc<Gate>) -> Exit {
    let wires = world.wires();
    let mut sent = world.witness().sent.clone();
    while !sent.is_empty() {
        let (request, address) = sent.swap_remove(world.dice.index(sent.len()));
        gate.before("again").await;
        if deliver(&world, &wires, request, &address).await.is_err() {
            break;
        }
    }
    Exit::Done
}

/// Loses the replies that stand in a lane.
pub(crate) async fn lose_replies(world: &World) {
    let wires = world.wires();
    let lane = any_reply_lane(world);
    let end: Position = wires.reply_end(lane).await.unwrap();
    wires.lose_replies(lane, end);
    let mut witness = world.witness();
    witness.replies_lost = true;
    witness.coverage.met(Met::Truncated);
    witness.note(|| format!("  replies of lane {lane} below {end} are lost"));
}
