//! The campaigns of a reply lane and their outcomes, for the requester that leases it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use catchment_domain::ports::{Answer, CampaignLedger, ChunkSummary, Lease, Recorded, StoreError};
use catchment_domain::{
    Attempt, Campaign, CampaignState, Chunk, Phase, Position, Revision, ShopList,
};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::campaign_rows;
use crate::entity::{campaign, campaign_chunk, reply_lane};
use crate::error::{classify, stored};
use crate::reply_lanes::{check_held, held};
use crate::store::SeaOrmStore;

#[async_trait]
impl CampaignLedger for SeaOrmStore {
    async fn open(&self, lease: &Lease) -> Result<Vec<Campaign>, StoreError> {
        check_held(&self.readers, lease).await?;
        let (campaigns, has_free) = self.campaigns_to_open(&self.readers, lease).await?;
        if !has_free && self.over(&self.readers, &campaigns).await?.is_empty() {
            return Ok(open_ones(campaigns));
        }
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        check_held(connection, lease).await?;
        take_free(connection, lease).await?;
        let (mut campaigns, _) = self.campaigns_to_open(connection, lease).await?;
        // The end of one may let the one that it replaced end, so this goes on until nothing
        // is over any more.
        loop {
            let over = self.over(connection, &campaigns).await?;
            if over.is_empty() {
                break;
            }
            for campaign in campaigns.iter_mut().filter(|c| over.contains(&c.name.revision)) {
                *campaign = end(connection, campaign.clone()).await?;
            }
        }
        transaction.commit().await?;
        Ok(open_ones(campaigns))
    }

    async fn chunks(&self, revision: Revision) -> Result<Vec<ChunkSummary>, StoreError> {
        let rows = campaign_chunk::Entity::find()
            .select_only()
            .columns([
                campaign_chunk::Column::Revision,
                campaign_chunk::Column::Number,
                campaign_chunk::Column::Lane,
                campaign_chunk::Column::First,
                campaign_chunk::Column::Shops,
                campaign_chunk::Column::Open,
            ])
            .filter(campaign_chunk::Column::Revision.eq(stored(revision.0)))
            .order_by_asc(campaign_chunk::Column::Number)
            .into_model::<campaign_chunk::SummaryRow>()
            .all(&self.readers)
            .await
            .map_err(classify)?;
        rows.into_iter().map(ChunkSummary::try_from).collect()
    }

    async fn shops(&self, revision: Revision, number: u32) -> Result<ShopList, StoreError> {
        campaign_rows::list(&self.readers, revision, number).await
    }

    async fn mark_sent(
        &self,
        lease: &Lease,
        revision: Revision,
        part: (Phase, Attempt),
        numbers: &[u32],
    ) -> Result<Vec<Chunk>, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        check_held(connection, lease).await?;
        let campaign = campaign_rows::find(connection, revision).await?;
        if !campaign.is_some_and(|campaign| may_send(&campaign, lease, part)) {
            return Ok(Vec::new());
        }
        let mut chunks = campaign_rows::some_chunks(connection, revision, numbers).await?;
        let (phase, attempt) = part;
        if phase == Phase::Activation {
            for chunk in chunks.iter_mut().filter(|chunk| chunk.sent != Some(attempt)) {
                chunk.sent = Some(attempt);
                campaign_rows::update_chunk(connection, revision, chunk).await?;
            }
        }
        transaction.commit().await?;
        Ok(chunks)
    }

    async fn record(
        &self,
        lease: &Lease,
        to: Position,
        answers: &[(Revision, Answer)],
    ) -> Result<Recorded, StoreError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let moved = held(lease)
            .col_expr(reply_lane::Column::Position, Expr::value(stored(to.0)))
            .exec(connection)
            .await
            .map_err(classify)?;
        if moved.rows_affected == 0 {
            return Err(StoreError::Fenced);
        }
        let mut recorded = Recorded::default();
        for (revision, answers) in by_campaign(answers) {
            record_campaign(connection, revision, &answers, &mut recorded).await?;
        }
        transaction.commit().await?;
        Ok(recorded)
    }
}

impl SeaOrmStore {
    /// The campaigns of the lane that may still change, the oldest first, and whether there
    /// are some of nobody.
    async fn campaigns_to_open(
        &self,
        connection: &impl ConnectionTrait,
        lease: &Lease,
    ) -> Result<(Vec<Campaign>, bool), StoreError> {
        let lane = i32::from(lease.lane.0);
        let models = campaign::Entity::find()
            .filter(campaign::Column::State.ne(CampaignState::Ended.as_str()))
            .filter(campaign::Column::ReplyLane.eq(lane).or(campaign::Column::ReplyLane.is_null()))
            .order_by_asc(campaign::Column::Revision)
            .all(connection)
            .await
            .map_err(classify)?;
        let has_free = models.iter().any(|model| model.reply_lane.is_none());
        let campaigns = models.into_iter().map(Campaign::try_from).collect::<Result<_, _>>()?;
        Ok((campaigns, has_free))
    }

    /// Which of the campaigns it is time to end.
    async fn over(
        &self,
        connection: &impl ConnectionTrait,
        campaigns: &[Campaign],
    ) -> Result<Vec<Revision>, StoreError> {
        let now = self.now();
        let mut over = Vec::new();
        for campaign in campaigns.iter().filter(|c| !c.state.is_ending_or_ended()) {
            let is_replaced = match campaign.replaced_by {
                Some(by) => {
                    campaign_rows::find(connection, by).await?.is_some_and(|by| by.is_through())
                }
                None => false,
            };
            if is_replaced || campaign.is_over(now) {
                over.push(campaign.name.revision);
            }
        }
        Ok(over)
    }
}

fn open_ones(mut campaigns: Vec<Campaign>) -> Vec<Campaign> {
    campaigns.retain(|campaign| 0 < campaign.state.open());
    campaigns
}

/// Takes the campaigns of nobody.
async fn take_free(connection: &impl ConnectionTrait, lease: &Lease) -> Result<(), StoreError> {
    campaign::Entity::update_many()
        .col_expr(campaign::Column::ReplyLane, Expr::value(i32::from(lease.lane.0)))
        .filter(campaign::Column::ReplyLane.is_null())
        .exec(connection)
        .await
        .map(drop)
        .map_err(classify)
}

/// Ends a campaign; one that was replaced, for what its successor left.
async fn end(
    connection: &impl ConnectionTrait,
    campaign: Campaign,
) -> Result<Campaign, StoreError> {
    let revision = campaign.name.revision;
    let before = campaign_rows::chunks(connection, revision).await?;
    let mut after = before.clone();
    let successor = match campaign.replaced_by {
        Some(by) => campaign_rows::find(connection, by).await?.filter(Campaign::is_through),
        None => None,
    };
    let ended = match successor {
        None => campaign.end(&mut after, |_, _| false),
        Some(by) => {
            let affected = campaign_rows::affected(connection, by.name.revision).await?;
            let mut lists = BTreeMap::new();
            for chunk in &before {
                let list = campaign_rows::list(connection, revision, chunk.number).await?;
                lists.insert(chunk.number, list);
            }
            campaign.end(&mut after, |chunk, place| {
                let shop = lists.get(&chunk.number).and_then(|list| list.get(place));
                shop.is_some_and(|shop| affected.contains(shop))
            })
        }
    };
    campaign_rows::update_chunks(connection, revision, &before, &after).await?;
    campaign_rows::update(connection, &ended).await?;
    Ok(ended)
}

/// Whether this part of a campaign may be sent by this requester.
fn may_send(campaign: &Campaign, lease: &Lease, (phase, attempt): (Phase, Attempt)) -> bool {
    let is_phase = match phase {
        Phase::Activation => campaign.may_send_activations(),
        Phase::Release => matches!(campaign.state, CampaignState::Ending { .. }),
    };
    is_phase && campaign.attempt == attempt && campaign.reply_lane == Some(lease.lane)
}

/// Answers by campaign and chunk, each in the order in which they were read.
fn by_campaign(answers: &[(Revision, Answer)]) -> BTreeMap<Revision, BTreeMap<u32, Vec<&Answer>>> {
    let mut grouped: BTreeMap<Revision, BTreeMap<u32, Vec<&Answer>>> = BTreeMap::new();
    for (revision, answer) in answers {
        grouped.entry(*revision).or_default().entry(answer.chunk).or_default().push(answer);
    }
    grouped
}

/// Enters the answers to one campaign. Those to one that is not there do not count.
async fn record_campaign(
    connection: &impl ConnectionTrait,
    revision: Revision,
    answers: &BTreeMap<u32, Vec<&Answer>>,
    recorded: &mut Recorded,
) -> Result<(), StoreError> {
    let Some(campaign) = campaign_rows::find(connection, revision).await? else { return Ok(()) };
    let mut open = i64::from(campaign.state.open());
    let numbers: Vec<u32> = answers.keys().copied().collect();
    for mut chunk in campaign_rows::some_chunks(connection, revision, &numbers).await? {
        let Some(answers) = answers.get(&chunk.number) else { continue };
        let before = i64::from(chunk.open());
        let mut counted = 0;
        for answer in answers {
            counted += u32::from(chunk.record(&campaign, answer.ticket, &answer.outcome));
        }
        recorded.open.push((revision, chunk.number, chunk.open()));
        if 0 < counted {
            recorded.counted += counted;
            open += i64::from(chunk.open()) - before;
            campaign_rows::update_chunk(connection, revision, &chunk).await?;
        }
    }
    let open = u32::try_from(open).unwrap_or_default();
    let after = Campaign { state: campaign.state.with_open(open), ..campaign.clone() };
    if after != campaign {
        campaign_rows::update(connection, &after).await?;
    }
    recorded.campaigns.push(after);
    Ok(())
}
