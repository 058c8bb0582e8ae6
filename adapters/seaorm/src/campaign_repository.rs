//! Campaigns, for commands that start campaigns and report on them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use catchment_domain::ports::{
    CampaignRepository, CommandError, OutcomeFilter, ShopOutcome, ShopRepository as _, StoreError,
    Tallies,
};
use catchment_domain::{
    Campaign, CampaignError, Command, Deadline, Draft, Found, FrozenList, Revision, Scope,
    ShopCursor,
};
use sea_orm::sea_query::LockType;
use sea_orm::{ActiveModelTrait, ConnectionTrait};

use crate::campaign_rows::{self, undamaged};
use crate::entity::campaign;
use crate::error::classify;
use crate::retry::while_busy_or_locked;
use crate::store::{SeaOrmStore, highest_mark};

#[async_trait]
impl CampaignRepository for SeaOrmStore {
    async fn add(&self, draft: &Draft) -> Result<Campaign, CommandError> {
        // The list is read before anything is locked. A shop that is imported meanwhile counts as
        // imported later.
        let list = self.freeze(&draft.scope).await?;
        let shops = list.count()?;
        // In a transaction of its own: the row of the newest revision is everybody's, and storing
        // a long list takes long. Where that fails, the revision is nobody's.
        let revision = self.take_revision().await?;
        while_busy_or_locked(|| self.try_add(draft, (revision, shops), &list)).await
    }

    async fn get(&self, revision: Revision) -> Result<Option<Campaign>, StoreError> {
        campaign_rows::find(&self.readers, revision).await
    }

    async fn list(
        &self,
        behind: Option<Revision>,
        limit: usize,
    ) -> Result<Found<Vec<Campaign>>, StoreError> {
        campaign_rows::page(&self.readers, behind, limit).await
    }

    async fn command(
        &self,
        revision: Revision,
        command: Command,
    ) -> Result<Campaign, CommandError> {
        while_busy_or_locked(|| self.try_command(revision, command)).await
    }

    async fn tallies(&self, revision: Revision) -> Result<Found<Tallies>, StoreError> {
        let mut tallies = Tallies::default();
        let shops = campaign_rows::shops(&self.readers, revision).await?;
        let Found { found: chunks, damaged } =
            campaign_rows::all_chunks(&self.readers, revision, shops).await?;
        for chunk in chunks {
            tallies.activation.add(chunk.activations());
            tallies.release.add(chunk.releases());
        }
        Ok(Found { found: tallies, damaged })
    }

    async fn outcomes(
        &self,
        revision: Revision,
        filter: OutcomeFilter,
        from: u32,
        limit: usize,
    ) -> Result<Found<Vec<ShopOutcome>>, StoreError> {
        let mut outcomes: Found<Vec<ShopOutcome>> = Found::default();
        for number in self.chunks_behind(revision, from).await? {
            if limit <= outcomes.found.len() {
                break;
            }
            let chunks = campaign_rows::some_chunks(&self.readers, revision, &[number]).await?;
            outcomes.damaged.extend(chunks.damaged);
            for chunk in chunks.found {
                let lists = campaign_rows::lists(&self.readers, revision, &[number]).await?;
                outcomes.damaged.extend(lists.damaged);
                for (_, list) in &lists.found {
                    outcomes.found.extend(ShopOutcome::of_chunk(&chunk, list, filter, from));
                }
            }
        }
        outcomes.found.truncate(limit);
        Ok(outcomes)
    }
}

/// Locks a campaign, and checks that another may replace it.
async fn replaceable(
    connection: &impl ConnectionTrait,
    revision: Revision,
) -> Result<Campaign, CommandError> {
    let old = campaign_rows::lock_one(connection, revision, LockType::Update).await?;
    let old = undamaged(old)?.ok_or(CampaignError::Unknown(revision))?;
    old.check_replaceable()?;
    Ok(old)
}

/// Stores the list of a campaign and its ledger, many chunks with each statement.
async fn add_list(
    connection: &impl ConnectionTrait,
    revision: Revision,
    list: &FrozenList,
) -> Result<(), StoreError> {
    let mut chunks = list.chunks().peekable();
    while chunks.peek().is_some() {
        let part: Vec<_> = chunks.by_ref().take(campaign_rows::ADDED_AT_ONCE).collect();
        let added = part.iter().map(|(chunk, list)| (chunk, *list));
        campaign_rows::add_chunks(connection, revision, added).await?;
    }
    Ok(())
}

impl SeaOrmStore {
    async fn try_add(
        &self,
        draft: &Draft,
        (revision, shops): (Revision, u32),
        list: &FrozenList,
    ) -> Result<Campaign, CommandError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let replaced = match draft.replaces {
            Some(revision) => Some(replaceable(connection, revision).await?),
            None => None,
        };
        // The list was divided among so many lanes.
        self.check_lanes(connection, Some(LockType::KeyShare)).await?;
        let now = self.now(connection).await?;
        let mark = highest_mark(connection).await?;
        let campaign = draft.begin(revision, shops, replaced.as_ref(), (now, mark));
        if let Some(old) = replaced {
            let old = Campaign { replaced_by: Some(revision), ..old };
            campaign_rows::update(connection, &old).await?;
        }
        campaign::active(&campaign).insert(connection).await.map_err(classify)?;
        add_list(connection, revision, list).await?;
        transaction.commit().await?;
        Ok(campaign)
    }

    async fn try_command(
        &self,
        revision: Revision,
        command: Command,
    ) -> Result<Campaign, CommandError> {
        let transaction = self.begin().await?;
        let connection = transaction.connection()?;
        let campaign = campaign_rows::lock_one(connection, revision, LockType::Update).await?;
        let campaign = undamaged(campaign)?.ok_or(CampaignError::Unknown(revision))?;
        let shops = Some(campaign.shops);
        let before = undamaged(campaign_rows::all_chunks(connection, revision, shops).await?)?;
        let mut after = before.clone();
        let now = self.now(connection).await?;
        let mark = highest_mark(connection).await?;
        let deadline = Deadline::of_attempt(now, mark, campaign.timeout);
        let campaign = campaign.command(command, &mut after, deadline)?;
        campaign_rows::update_chunks(connection, revision, &before, &after).await?;
        campaign_rows::update(connection, &campaign).await?;
        campaign_rows::note_end(connection, &campaign, self.clock()).await?;
        transaction.commit().await?;
        Ok(campaign)
    }

    /// Reads the shops of a new campaign.
    async fn freeze(&self, scope: &Scope) -> Result<FrozenList, StoreError> {
        let mut list = FrozenList::default();
        if let Some(ids) = scope.named_only() {
            let lanes = self.settings.lanes;
            let mut named: Vec<_> = ids.iter().map(|id| ShopCursor::behind(id, lanes)).collect();
            named.sort_unstable();
            for shop in &named {
                list.push(shop.lane, &shop.id);
            }
        } else {
            self.scan(scope, |lane, shop| list.push(lane, &shop)).await?;
        }
        Ok(list)
    }

    /// Returns the numbers of a campaign's chunks that have a place at or behind `from`, in order.
    /// Damaged chunks whose places are unknown are included.
    async fn chunks_behind(
        &self,
        revision: Revision,
        from: u32,
    ) -> Result<BTreeSet<u32>, StoreError> {
        let Found { found, damaged } = campaign_rows::summaries(&self.readers, revision).await?;
        let behind = found.iter().filter(|chunk| from < chunk.end()).map(|chunk| chunk.number);
        let damaged = damaged.iter().filter_map(|damage| damage.item.chunk());
        Ok(behind.chain(damaged.map(|(_, number)| number)).collect())
    }
}
