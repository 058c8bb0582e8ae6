//! Sending requests and replies, one by one: so a call that fails, or a process that crashes,
//! leaves a first part of them behind.

use async_trait::async_trait;
use catchment_domain::ports::{ChannelError, ReplyChannel, RequestChannel};
use catchment_domain::{Reply, Request, ReturnAddress};

use super::Gated;
use crate::simulator::wires::Wires;
use crate::simulator::world::World;

#[async_trait]
impl RequestChannel for Gated<Wires> {
    async fn send(
        &self,
        requests: Vec<Request>,
        address: &ReturnAddress,
    ) -> Result<(), ChannelError> {
        for request in &requests {
            self.world.witness().sent(request, address);
            self.world.witness().asked(request);
        }
        self.gate.before("send").await.unknown()?;
        for request in requests {
            deliver(&self.world, &self.inner, request, address).await?;
            if self.world.dice.chance(1_000) {
                self.gate.before("send").await.unknown()?;
            }
        }
        self.gate.after("send").await.unknown()
    }
}

/// Brings a request into its lane.
pub(crate) async fn deliver(
    world: &World,
    wires: &Wires,
    request: Request,
    address: &ReturnAddress,
) -> Result<(), ChannelError> {
    let lane = world.lanes.lane_of(&request.shop);
    wires.send(request.clone(), address).await?;
    let position = world.witness().delivered((wires, lane), &request);
    if world.is_troubled() && world.dice.chance(world.params.rates.bad) {
        wires.spoil(lane, position);
    }
    Ok(())
}

#[async_trait]
impl ReplyChannel for Gated<Wires> {
    async fn send(&self, replies: Vec<(ReturnAddress, Reply)>) -> Result<(), ChannelError> {
        self.gate.before("answer").await.unknown()?;
        for reply in replies {
            self.inner.answer(vec![reply.clone()]).await?;
            self.world.witness().answered(reply);
            if self.world.dice.chance(1_000) {
                self.gate.before("answer").await.unknown()?;
            }
        }
        self.gate.after("answer").await.unknown()
    }
}
