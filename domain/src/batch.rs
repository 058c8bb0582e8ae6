//! Folding a batch of requests over its shops.

use crate::correlation::Ticket;
use crate::judge::{LaneTime, judge};
use crate::lane::{Epoch, Lane, Lanes, Position};
use crate::outcome::{Code, Outcome};
use crate::request::{Invalid, RequestId, RequestRecord};
use crate::revision::{CampaignRef, Revision};
use crate::shop::{ShopFingerprint, ShopId, ShopState};
use crate::terms::{Disagreement, LoadedCampaign, check_id, check_request};
use crate::trigger::Policy;

/// Requests that follow each other in one lane, to be applied together or not at all.
#[derive(Debug)]
pub struct Batch {
    /// The lane.
    pub lane: Lane,
    /// The owner that applies it.
    pub epoch: Epoch,
    /// Where the owner thinks the lane stands.
    pub from: Position,
    /// Everything below is answered.
    pub replied: Position,
    records: Vec<RequestRecord>,
    /// The shops, each once, in id order.
    shops: Vec<ShopId>,
    /// For each record the index of its shop.
    shop_of_record: Vec<Option<u32>>,
    /// The last record of the stretch, be it a request or not.
    last: Option<(Position, RequestId)>,
}

impl Batch {
    /// A batch of these records, which stand in the order of their positions.
    #[must_use]
    pub fn new(
        (lane, epoch): (Lane, Epoch),
        from: Position,
        replied: Position,
        records: Vec<RequestRecord>,
    ) -> Self {
        let mut order: Vec<(&ShopId, usize)> = records
            .iter()
            .enumerate()
            .filter_map(|(index, record)| Some((&record.request.as_ref().ok()?.shop, index)))
            .collect();
        order.sort_unstable();
        let mut shop_of_record = vec![None; records.len()];
        let mut shops: Vec<ShopId> = Vec::with_capacity(order.len());
        for (shop, index) in order {
            if shops.last() != Some(shop) {
                shops.push(shop.clone());
            }
            if let Some(place) = shop_of_record.get_mut(index) {
                *place = u32::try_from(shops.len() - 1).ok();
            }
        }
        let last = records.last().map(|record| (record.position, record.id));
        Self { lane, epoch, from, replied, records, shops, shop_of_record, last }
    }

    /// Extends the batch to the last record that was read. The records behind its last request are no
    /// requests, and the lane skips them.
    #[must_use]
    pub const fn up_to(mut self, last: (Position, RequestId)) -> Self {
        self.last = Some(last);
        self
    }

    /// The same batch with its requests replaced by rejections: what they meet cannot be read.
    #[must_use]
    pub fn rejected(mut self, what: &str) -> Self {
        for record in &mut self.records {
            let shop = record.shop().cloned();
            record.request = Err(Invalid { code: Code::BadData, message: what.into(), shop });
        }
        self.shops.clear();
        self.shop_of_record.fill(None);
        self
    }

    /// The requests, in the order of the lane.
    #[must_use]
    pub fn records(&self) -> &[RequestRecord] {
        &self.records
    }

    /// Gives the requests back.
    #[must_use]
    pub fn into_records(self) -> Vec<RequestRecord> {
        self.records
    }

    /// The shops that the requests name, each once, in id order.
    #[must_use]
    pub fn shops(&self) -> &[ShopId] {
        &self.shops
    }

    /// The campaigns that the requests name, each once.
    #[must_use]
    pub fn campaigns(&self) -> Vec<CampaignRef> {
        let mut campaigns: Vec<CampaignRef> = Vec::new();
        let requests = self.records.iter().filter_map(|record| record.request.as_ref().ok());
        for campaign in requests.filter_map(|request| request.change.campaign()) {
            // A batch names a handful of campaigns, and most requests name the same campaign as
            // the request before.
            if !campaigns.iter().rev().any(|known| *known == campaign) {
                campaigns.push(campaign);
            }
        }
        campaigns
    }

    /// One past the last record: where the lane stands once the batch is applied.
    #[must_use]
    pub fn to(&self) -> Position {
        self.last.map_or(self.from, |(position, _)| position.next())
    }

    /// The id of the last record, by which the log is known again.
    #[must_use]
    pub fn last_id(&self) -> Option<RequestId> {
        self.last.map(|(_, id)| id)
    }
}

/// The stored data by which a batch is judged. The transaction that applies the batch reads time
/// and shops.
///
/// Campaigns and revisions may be read a little earlier, but never before the batch was received.
/// That is not too early: a requester stores everything on which a request relies before it sends
/// the request.
#[derive(Debug)]
pub struct Loaded {
    /// The lane's time.
    pub time: LaneTime,
    /// The campaigns among [`Batch::campaigns`] that the database has.
    pub campaigns: Vec<LoadedCampaign>,
    /// The newest revision that the database gave out.
    pub newest: Revision,
    /// The shops in the order of [`Batch::shops`].
    pub shops: Vec<LoadedShop>,
}

/// A shop of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedShop {
    /// What is in force there; `None` where there is no such shop.
    pub state: Option<ShopState>,
    /// Whether judging changed it, so that it must be written.
    pub changed: bool,
}

impl LoadedShop {
    /// A shop as it was read.
    #[must_use]
    pub const fn new(state: Option<ShopState>) -> Self {
        Self { state, changed: false }
    }
}

/// Judges a batch request by request in the order of the lane, in memory.
///
/// Returns one outcome per record, in their order. The shops and the lane's time in `loaded`
/// are then as they must be stored. The result is that of judging each request by itself.
///
/// Some requests are rejected without a look at the shop, in this order:
///
/// 1. A record that is unreadable.
/// 2. A request without a campaign whose id has the form of a campaign's request: a receipt would
///    take it for the campaign's request.
/// 3. A request in another lane than its shop's lane.
/// 4. A request of a campaign that the database does not have.
/// 5. A request of a campaign whose id belongs to another campaign or to the other phase
///    ([`check_id`]).
/// 6. A request for a shop that does not exist.
pub fn judge_batch(
    batch: &Batch,
    loaded: &mut Loaded,
    policy: &Policy,
    lanes: Lanes,
) -> Vec<Outcome> {
    let Loaded { time, campaigns, newest, shops } = loaded;
    let mut outcomes = Vec::with_capacity(batch.records.len());
    for (record, place) in batch.records.iter().zip(&batch.shop_of_record) {
        let request = match &record.request {
            Ok(request) => request,
            Err(invalid) => {
                outcomes.push(Outcome::rejected(invalid.code, Some(invalid.message.clone())));
                continue;
            }
        };
        let shop = place.and_then(|place| shops.get_mut(place as usize));
        let name = request.change.campaign();
        let campaign = campaigns.iter().find(|known| Some(known.name) == name);
        let right = lanes.lane_of(&request.shop);
        let outcome = if name.is_none() && Ticket::read(request.id).is_some() {
            Outcome::rejected(Code::ReservedId, None)
        } else if right != batch.lane {
            Outcome::rejected(Code::WrongLane, Some(wrong_lane(batch.lane, right)))
        } else if name.is_some() && campaign.is_none() {
            Outcome::rejected(Code::UnknownCampaign, None)
        } else if let Err(Disagreement { code, detail, .. }) = check_id(request) {
            Outcome::rejected(code, detail)
        } else if let Some(LoadedShop { state: Some(state), changed }) = shop {
            let version = state.version;
            let checked = check_request(request, campaign, *newest);
            let outcome = judge(state, &request.change, checked, policy, time);
            *changed |= state.version != version;
            outcome
        } else {
            Outcome::rejected(Code::UnknownShop, None)
        };
        outcomes.push(outcome);
    }
    outcomes
}

/// Names both lanes, as clients know them.
fn wrong_lane(Lane(found): Lane, Lane(right): Lane) -> Box<str> {
    format!("the request is in partition {found}, but murmur2 of its key chooses partition {right}")
        .into()
}

/// What became of the requests of one batch, kept so that their replies can be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where the batch began.
    pub from: Position,
    /// One past its last record.
    pub to: Position,
    /// What became of each request, in the order of the lane.
    pub entries: Vec<ReceiptEntry>,
}

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptEntry {
    /// Its place in the lane.
    pub position: Position,
    /// The record.
    pub id: RequestId,
    /// The shop that the record names, as far as that can be read. The id does not prove the shop:
    /// a copied record has the id of the original request.
    pub shop: Option<ShopFingerprint>,
    /// What became of it.
    pub outcome: Outcome,
}

impl Receipt {
    /// The receipt of a batch that was judged.
    #[must_use]
    pub fn new(batch: &Batch, outcomes: Vec<Outcome>) -> Self {
        let entries = batch
            .records
            .iter()
            .zip(outcomes)
            .map(|(record, outcome)| ReceiptEntry {
                position: record.position,
                id: record.id,
                shop: record.shop().map(ShopFingerprint::of),
                outcome,
            })
            .collect();
        Self { from: batch.from, to: batch.to(), entries }
    }
}
