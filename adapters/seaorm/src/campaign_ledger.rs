//! The campaigns of a reply lane and their outcomes, for the requester that leases it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use catchment_domain::ports::{Answer, CampaignLedger, ChunkSummary, Lease, Recorded, StoreError};
use catchment_domain::{
    Attempt, Campaign, CampaignState, Chunk, Damage, Found, Lane, Phase, Position, ReplyLane,
    Revision, ShopList, Timestamp,
};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
};

use crate::campaign_rows;
use crate::entity::{campaign, lane_state, reply_lane};
use crate::error::{classify, stored};
use crate::reply_lanes::{held, is_held, lock_held};
use crate::retry::while_busy;
use crate::store::SeaOrmStore;

#[async_trait]
impl CampaignLedger for SeaOrmStore {
    async fn open(&self, lease: &Lease) -> Result<Found<Vec<Campaign>>, StoreError> {
        while_busy(|| self.try_open(lease)).await
    }

    async fn damaged(&self, lane: ReplyLane) -> Result<Vec<Damage>, StoreError> {
        Ok(campaigns_of(&self.readers, lane).await?.damaged)
    }

    async fn chunks(&self, revision: Revision) -> Result<Found<Vec<ChunkSummary>>, StoreError> {
        campaign_rows::summaries(&self.readers, revision).await
    }

    async fn lists(
        &self,
        revision: Revision,
        numbers: &[u32],
    ) -> Result<Found<Vec<(u32, ShopList)>>, StoreError> {
        campaign_rows::lists(&self.readers, revision, numbers).await
    }

    async fn mark_sent(
        &self,
        lease: &Lease,
        revision: Revision,
        part: (Phase, Attempt),
        numbers: &[u32],
    ) -> Result<Found<Vec<Chunk>>, StoreError> {
        while_busy(|| self.try_mark_sent(lease, revision, part, numbers)).await
    }

    async fn record(
        &self,
        lease: &Lease,
        to: Position,
        answers: &[(Revision, Answer)],
    ) -> Result<Recorded, StoreError> {
        let answers = by_campaign(answers);
        while_busy(|| self.try_record(lease, to, &answers)).await
    }
}

/// Answers by campaign and chunk, each in the order in which they were read.
type Answers<'a> = BTreeMap<Revision, BTreeMap<u32, Vec<&'a Answer>>>;

impl SeaOrmStore {
    async fn try_open(&self, lease: &Lease) -> Result<Found<Vec<Campaign>>, StoreError> {
        // Most often there is nothing to do, and one cheap statement says so.
        if !self.has_work(lease).await? {
            return Ok(Found::default());
        }
        let seen = campaigns_of(&self.readers, lease.lane).await?;
        let now = self.now(&self.readers).await?;
        let is_quiet = seen.found.iter().all(|campaign| {
            let may_be_over = campaign.replaced_by.is_some() || campaign.is_over(now);
            campaign.reply_lane.is_some() && (campaign.state.is_ending_or_ended() || !may_be_over)
        });
        if is_quiet {
            return Ok(open_ones(seen));
        }
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        lock_held(connection, lease).await?;
        let now = self.now(connection).await?;
        let Found { found: mut campaigns, mut damaged } = take_and_lock(connection, lease).await?;
        // When a campaign ends, the campaign that it replaced may end, too. So this loop runs until
        // no campaign has to end.
        let mut set_aside = BTreeSet::new();
        while let Some(over) = next_over(&campaigns, &set_aside, lease, now) {
            let revision = over.name.revision;
            match end(connection, over.clone(), &campaigns).await? {
                Ok(ended) => {
                    campaign_rows::note_end(connection, &ended, self.clock()).await?;
                    campaigns.insert(revision, ended);
                }
                Err(damages) => {
                    damaged.extend(damages);
                    set_aside.insert(revision);
                }
            }
        }
        transaction.commit().await?;
        let of_lane = campaigns.into_values().filter(|c| c.reply_lane == Some(lease.lane));
        Ok(open_ones(Found { found: of_lane.collect(), damaged }))
    }

    /// Returns whether the lane, or no lane, has a campaign with work to do. Settled campaigns that
    /// nothing ends have none: there may be many of them, and they stay for long. Fails if the
    /// lease is no longer valid.
    async fn has_work(&self, lease: &Lease) -> Result<bool, StoreError> {
        let settled = CampaignState::Settled.as_str();
        let interesting = Condition::any()
            .add(campaign::Column::ReplyLane.is_null())
            .add(campaign::Column::Open.ne(0))
            .add(campaign::Column::ReplacedBy.is_not_null())
            .add(Expr::col(campaign::Column::Until).lte(self.clock()))
            .add(campaign::Column::State.ne(settled));
        let campaigns = campaign::Entity::find()
            .filter(unfinished_of(lease.lane))
            .filter(interesting)
            .into_query();
        let is_there = Expr::case(Expr::exists(campaigns), 1).finally(0);
        let held: Option<i32> = reply_lane::Entity::find()
            .select_only()
            .expr(is_there)
            .filter(is_held(lease))
            .into_tuple()
            .one(&self.readers)
            .await
            .map_err(classify)?;
        held.map(|campaigns| 0 < campaigns).ok_or(StoreError::Fenced)
    }

    async fn try_mark_sent(
        &self,
        lease: &Lease,
        revision: Revision,
        (phase, attempt): (Phase, Attempt),
        numbers: &[u32],
    ) -> Result<Found<Vec<Chunk>>, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        lock_held(connection, lease).await?;
        let Found { found: campaign, damaged } =
            campaign_rows::lock_one(connection, revision, LockType::KeyShare).await?;
        if !campaign.is_some_and(|campaign| campaign.may_send(lease.lane, (phase, attempt))) {
            return Ok(Found { found: Vec::new(), damaged });
        }
        let mut chunks = campaign_rows::lock_chunks(connection, revision, numbers).await?;
        if phase == Phase::Activation {
            for chunk in chunks.found.iter_mut().filter(|chunk| chunk.sent != Some(attempt)) {
                chunk.sent = Some(attempt);
                campaign_rows::update_chunk(connection, revision, chunk).await?;
            }
        }
        transaction.commit().await?;
        Ok(chunks)
    }

    async fn try_record(
        &self,
        lease: &Lease,
        to: Position,
        answers: &Answers<'_>,
    ) -> Result<Recorded, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let moved = held(lease)
            .filter(reply_lane::Column::Position.eq(stored(lease.position.0)))
            .col_expr(reply_lane::Column::Position, Expr::value(stored(to.0)))
            .exec(connection)
            .await
            .map_err(classify)?;
        if moved.rows_affected == 0 {
            return Err(StoreError::Fenced);
        }
        let revisions: BTreeSet<Revision> = answers.keys().copied().collect();
        let Found { found: campaigns, damaged } =
            campaign_rows::lock(connection, &revisions, LockType::NoKeyUpdate).await?;
        let mut recorded = Recorded { damaged, ..Recorded::default() };
        let applied = applied(connection, answers).await?;
        for (revision, campaign) in campaigns {
            if campaign.reply_lane == Some(lease.lane)
                && let Some(answers) = answers.get(&revision)
            {
                record_campaign(connection, campaign, (answers, &applied), &mut recorded).await?;
            }
        }
        for campaign in &recorded.campaigns {
            campaign_rows::note_end(connection, campaign, self.clock()).await?;
        }
        transaction.commit().await?;
        Ok(recorded)
    }
}

/// Returns the campaigns that may still change and belong to the lane or to no lane, the oldest
/// first.
async fn campaigns_of(
    connection: &impl ConnectionTrait,
    lane: ReplyLane,
) -> Result<Found<Vec<Campaign>>, StoreError> {
    campaign_rows::all(connection, unfinished_of(lane)).await
}

fn unfinished_of(lane: ReplyLane) -> Condition {
    let lane = i32::from(lane.0);
    let of_lane = campaign::Column::ReplyLane.eq(lane).or(campaign::Column::ReplyLane.is_null());
    Condition::all().add(campaign::is_unfinished()).add(of_lane)
}

/// Takes over the campaigns without a lane. Returns the campaigns of the lane and their successors,
/// all locked.
async fn take_and_lock(
    connection: &impl ConnectionTrait,
    lease: &Lease,
) -> Result<Found<BTreeMap<Revision, Campaign>>, StoreError> {
    let Found { found: seen, damaged } = campaigns_of(connection, lease.lane).await?;
    let revisions = seen.iter().flat_map(|c| [Some(c.name.revision), c.replaced_by]).flatten();
    let how = LockType::Update;
    // Damaged campaigns are in `damaged` already. A damaged successor in another lane is not: that
    // lane names it.
    let locked = campaign_rows::lock(connection, &revisions.collect(), how).await?;
    let mut campaigns = locked.found;
    let seen: BTreeSet<Revision> = seen.iter().map(|campaign| campaign.name.revision).collect();
    for campaign in campaigns.values_mut() {
        // A successor may be a campaign without a lane that was added since.
        if campaign.reply_lane.is_none() && seen.contains(&campaign.name.revision) {
            campaign.reply_lane = Some(lease.lane);
            campaign_rows::update(connection, campaign).await?;
        }
    }
    Ok(Found { found: campaigns, damaged })
}

/// Returns a campaign of the lane that has to end, unless it was set aside.
fn next_over<'a>(
    campaigns: &'a BTreeMap<Revision, Campaign>,
    set_aside: &BTreeSet<Revision>,
    lease: &Lease,
    now: Timestamp,
) -> Option<&'a Campaign> {
    let mut of_lane = campaigns.values().filter(|campaign| {
        campaign.reply_lane == Some(lease.lane) && !set_aside.contains(&campaign.name.revision)
    });
    of_lane.find(|campaign| campaign_rows::is_to_be_ended(campaign, campaigns, now))
}

fn open_ones(mut campaigns: Found<Vec<Campaign>>) -> Found<Vec<Campaign>> {
    campaigns.found.retain(|campaign| 0 < campaign.state.open());
    campaigns
}

/// Ends a campaign. If its successor is through, does not release the shops at which the successor
/// took effect. A campaign with damaged outcomes is not ended: nobody knows what would have to be
/// released.
async fn end(
    connection: &impl ConnectionTrait,
    campaign: Campaign,
    campaigns: &BTreeMap<Revision, Campaign>,
) -> Result<Result<Campaign, Vec<Damage>>, StoreError> {
    let revision = campaign.name.revision;
    let Found { found: before, damaged } =
        campaign_rows::all_chunks(connection, revision, Some(campaign.shops)).await?;
    if !damaged.is_empty() {
        return Ok(Err(damaged));
    }
    let mut after = before.clone();
    let successor = campaign.replaced_by.and_then(|by| campaigns.get(&by));
    let successor = successor.filter(|by| by.is_through());
    let ended = match successor {
        None => campaign.end(&mut after, |_, _| false),
        Some(by) => {
            let affected = campaign_rows::affected(connection, by.name.revision).await?;
            let mut lists = BTreeMap::new();
            for chunk in &before {
                // If a list cannot be read, too many shops are released, which does no harm.
                let list = campaign_rows::lists(connection, revision, &[chunk.number]).await?;
                lists.extend(list.found);
            }
            campaign.end(&mut after, |chunk, place| {
                let shop = lists.get(&chunk.number).and_then(|list| list.get(place));
                shop.is_some_and(|shop| affected.contains(shop))
            })
        }
    };
    campaign_rows::update_chunks(connection, revision, &before, &after).await?;
    campaign_rows::update(connection, &ended).await?;
    Ok(Ok(ended))
}

fn by_campaign(answers: &[(Revision, Answer)]) -> Answers<'_> {
    let mut grouped = Answers::new();
    for (revision, answer) in answers {
        grouped.entry(*revision).or_default().entry(answer.chunk).or_default().push(answer);
    }
    grouped
}

/// Reads the next position to apply in the request lanes of these answers. A lane that cannot be
/// read is left out.
async fn applied(
    connection: &impl ConnectionTrait,
    answers: &Answers<'_>,
) -> Result<BTreeMap<Lane, Position>, StoreError> {
    let is_compared = |answers: &Vec<&Answer>| answers.iter().any(|a| a.request_position.is_some());
    if !answers.values().flat_map(|answers| answers.values()).any(is_compared) {
        return Ok(BTreeMap::new());
    }
    let lanes: Vec<(i32, i64)> = lane_state::Entity::find()
        .select_only()
        .columns([lane_state::Column::Lane, lane_state::Column::AppliedNext])
        .into_tuple()
        .all(connection)
        .await
        .map_err(classify)?;
    let lane = |(lane, next): (i32, i64)| {
        Some((Lane(u16::try_from(lane).ok()?), Position(u64::try_from(next).ok()?)))
    };
    Ok(lanes.into_iter().filter_map(lane).collect())
}

/// Enters the answers to one campaign. `applied` is how far each request lane was applied.
async fn record_campaign(
    connection: &impl ConnectionTrait,
    campaign: Campaign,
    (answers, applied): (&BTreeMap<u32, Vec<&Answer>>, &BTreeMap<Lane, Position>),
    recorded: &mut Recorded,
) -> Result<(), StoreError> {
    let revision = campaign.name.revision;
    let mut after = campaign.clone();
    let numbers: Vec<u32> = answers.keys().copied().collect();
    let Found { found: chunks, damaged } =
        campaign_rows::lock_chunks(connection, revision, &numbers).await?;
    recorded.damaged.extend(damaged);
    for mut chunk in chunks {
        let Some(answers) = answers.get(&chunk.number) else { continue };
        let next = applied.get(&chunk.lane).copied();
        let (recorded_in, counted) = Answer::record_all(answers, &mut chunk, &after, next);
        recorded.open.push((revision, chunk.number, chunk.open_slots()));
        if 0 < counted {
            recorded.counted += counted;
            after = recorded_in;
            campaign_rows::update_chunk(connection, revision, &chunk).await?;
        }
    }
    if after != campaign {
        campaign_rows::update(connection, &after).await?;
    }
    recorded.campaigns.push(after);
    Ok(())
}
