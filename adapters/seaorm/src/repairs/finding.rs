//! Looking for what is damaged: everything is read once.

use std::collections::{BTreeMap, BTreeSet};

use catchment_domain::ports::StoreError;
use catchment_domain::{
    Campaign, Chunk, Damage, Found, Revision, Scope, ShopList, ShopState, StoredItem,
};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};

use crate::campaign_rows::{self, missing};
use crate::entity::{campaign_chunk, campaign_list, shop, shop_state};
use crate::error::{classify, stored};
use crate::pages::Pages;
use crate::store::SeaOrmStore;

impl SeaOrmStore {
    /// Everything that is damaged, each item once, in order.
    pub(super) async fn find_damage(&self) -> Result<Vec<Damage>, StoreError> {
        let mut damages = BTreeMap::new();
        let mut add = |damage: Damage| drop(damages.insert(damage.item.clone(), damage));
        let campaigns = campaign_rows::all(&self.readers, Condition::all()).await?;
        let mut known: BTreeMap<Revision, Option<Campaign>> = BTreeMap::new();
        known.extend(campaigns.damaged.iter().filter_map(|d| Some((d.item.campaign()?, None))));
        known.extend(campaigns.found.into_iter().map(|c| (c.name.revision, Some(c))));
        campaigns.damaged.into_iter().for_each(&mut add);
        let mut revisions: BTreeSet<Revision> = known.keys().copied().collect();
        revisions.extend(self.revisions_of_chunks().await?);
        for revision in revisions {
            let campaign = known.get(&revision);
            if campaign.is_none() {
                add(missing(StoredItem::Campaign(revision)));
            }
            let campaign = campaign.and_then(Option::as_ref);
            self.find_in_campaign(revision, campaign).await?.into_iter().for_each(&mut add);
        }
        self.find_in_shops().await?.into_iter().for_each(&mut add);
        Ok(damages.into_values().collect())
    }

    async fn revisions_of_chunks(&self) -> Result<Vec<Revision>, StoreError> {
        let chunks = campaign_chunk::Entity::find()
            .select_only()
            .column(campaign_chunk::Column::Revision)
            .distinct()
            .into_tuple::<i64>()
            .all(&self.readers);
        let lists = campaign_list::Entity::find()
            .select_only()
            .column(campaign_list::Column::Revision)
            .distinct()
            .into_tuple::<i64>()
            .all(&self.readers);
        let revisions = [chunks.await.map_err(classify)?, lists.await.map_err(classify)?];
        Ok(revisions.into_iter().flatten().map(|r| Revision(r.cast_unsigned())).collect())
    }

    async fn find_in_campaign(
        &self,
        revision: Revision,
        campaign: Option<&Campaign>,
    ) -> Result<Vec<Damage>, StoreError> {
        let chunks = campaign_rows::chunks(&self.readers, revision).await?;
        let of_campaign = campaign_list::Column::Revision.eq(stored(revision.0));
        let lists = campaign_list::Entity::find().filter(of_campaign);
        let lists = campaign_rows::read_lists(&self.readers, lists).await?;
        let mut damages = chunks.damaged;
        let in_chunks: BTreeMap<u32, &Chunk> =
            chunks.found.iter().map(|chunk| (chunk.number, chunk)).collect();
        let numbers = |damages: &[Damage]| -> BTreeSet<u32> {
            damages.iter().filter_map(|damage| Some(damage.item.chunk()?.1)).collect()
        };
        let (bad_chunks, bad_lists) = (numbers(&damages), numbers(&lists.damaged));
        let Found { found: lists, damaged } = lists;
        damages.extend(damaged);
        let lists: BTreeMap<u32, ShopList> = lists.into_iter().collect();
        let all: BTreeSet<u32> = in_chunks
            .keys()
            .chain(lists.keys())
            .chain(&bad_chunks)
            .chain(&bad_lists)
            .copied()
            .collect();
        for number in all {
            let (chunk, list) = (in_chunks.get(&number), lists.get(&number));
            if chunk.is_none() && !bad_chunks.contains(&number) {
                damages.push(missing(StoredItem::Outcomes(revision, number)));
            }
            if list.is_none() && !bad_lists.contains(&number) {
                damages.push(missing(StoredItem::List(revision, number)));
            }
            if let (Some(chunk), Some(list)) = (chunk, list)
                && chunk.len() != list.len()
            {
                let item = StoredItem::List(revision, number);
                let (shops, outcomes) = (list.len(), chunk.len());
                let what = format!("{item}: {shops} shops, and outcomes of {outcomes}");
                damages.push(Damage { item, what });
            }
        }
        let shops: usize = in_chunks.values().map(|chunk| chunk.len()).sum();
        if let Some(campaign) = campaign
            && damages.is_empty()
            && shops != campaign.shops as usize
        {
            let item = StoredItem::Campaign(revision);
            let what = format!("{item}: {shops} of {} shops are in its chunks", campaign.shops);
            damages.push(Damage { item, what });
        }
        Ok(damages)
    }

    async fn find_in_shops(&self) -> Result<Vec<Damage>, StoreError> {
        let mut damages = Vec::new();
        let everything = Scope::everything();
        let mut pages = Pages::new(&everything, self.settings.lanes, None);
        while let Some(page) = pages.next(self, usize::MAX).await? {
            damages.extend(page.into_iter().filter_map(Result::err));
        }
        let same_shop = Condition::all()
            .add(
                Expr::col((shop::Entity, shop::Column::Lane))
                    .equals((shop_state::Entity, shop_state::Column::Lane)),
            )
            .add(
                Expr::col((shop::Entity, shop::Column::Id))
                    .equals((shop_state::Entity, shop_state::Column::Id)),
            );
        let its_shop =
            Query::select().expr(Expr::val(1)).from(shop::Entity).cond_where(same_shop).to_owned();
        let orphans = shop_state::Entity::find()
            .filter(Expr::exists(its_shop).not())
            .all(&self.readers)
            .await
            .map_err(classify)?;
        for orphan in orphans {
            damages.push(missing(StoredItem::Profile(orphan.id.clone())));
            let item = StoredItem::State(orphan.id.clone());
            if let Err(StoreError::BadData { what }) = ShopState::try_from(orphan) {
                damages.push(Damage { item, what });
            }
        }
        Ok(damages)
    }
}
