//! Finds damage. Rows are read one by one, so that no row hides another.

use std::collections::{BTreeMap, BTreeSet};

use catchment_domain::ports::{ShopRepository as _, StoreError};
use catchment_domain::{Campaign, Damage, Revision, Scope, ShopState, StoredItem, check_campaign};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
};

use crate::campaign_rows;
use crate::damaged::{ItemOf, read_row};
use crate::deletions::deleted;
use crate::entity::{campaign_chunk, campaign_list, shop, shop_state};
use crate::error::{classify, stored};
use crate::pages::Pages;
use crate::store::SeaOrmStore;

impl SeaOrmStore {
    /// Returns each damaged item once, in order.
    pub(super) async fn find_damage(&self) -> Result<Vec<Damage>, StoreError> {
        let mut damages = BTreeMap::new();
        let mut add = |damage: Damage| drop(damages.insert(damage.item.clone(), damage));
        // The chunks of a campaign that is added meanwhile exist when they are read below.
        let mut revisions = revisions_of_chunks(self).await?;
        let campaigns = campaign_rows::all(&self.readers, Condition::all()).await?;
        let mut known: BTreeMap<Revision, Option<Campaign>> = BTreeMap::new();
        known.extend(campaigns.damaged.iter().filter_map(|d| Some((d.item.campaign()?, None))));
        known.extend(campaigns.found.into_iter().map(|c| (c.name.revision, Some(c))));
        campaigns.damaged.into_iter().for_each(&mut add);
        revisions.extend(known.keys().copied());
        // What is being deleted has no campaign any more. It may be gone as a whole by now.
        let unknown: Vec<_> = revisions.iter().filter(|it| !known.contains_key(it)).collect();
        let lost = if unknown.is_empty() { None } else { Some(revisions_of_chunks(self).await?) };
        for revision in revisions {
            let campaign = known.get(&revision);
            let is_lost = lost.as_ref().is_some_and(|lost| lost.contains(&revision));
            if campaign.is_none() && !is_lost {
                continue;
            }
            if campaign.is_none() {
                add(Damage::no_row(StoredItem::Campaign(revision)));
            }
            let campaign = campaign.and_then(Option::as_ref);
            self.find_in_campaign(revision, campaign).await?.into_iter().for_each(&mut add);
        }
        self.find_in_shops().await?.into_iter().for_each(&mut add);
        for lane in self.lanes().iter() {
            let damages = self.visit_import_receipts(lane, &mut |_| {}).await?;
            damages.into_iter().for_each(&mut add);
        }
        Ok(damages.into_values().collect())
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
        let damages = check_campaign(revision, campaign, chunks, lists);
        let may_be_deleted = campaign.is_some() && !damages.is_empty();
        if may_be_deleted && !campaign_rows::is_there(&self.readers, revision).await? {
            return Ok(Vec::new());
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
            .build(self.readers.get_database_backend());
        for orphan in self.readers.query_all_raw(orphans).await.map_err(classify)? {
            let read = |model: shop_state::Model| ShopState::try_from(model);
            // If an id cannot be read, the item has an empty id, which no shop has.
            let state_of: ItemOf =
                |row| Ok(StoredItem::State(row.try_get("", "id").unwrap_or_default()));
            let read = read_row(&orphan, state_of, read)?;
            let id = orphan.try_get("", "id");
            damages.extend(id.map(|id| Damage::no_row(StoredItem::Profile(id))));
            damages.extend(read.err());
        }
        Ok(damages)
    }
}

/// The campaigns that have chunks, without those that are deleted. A number that cannot be read
/// names none.
pub(crate) async fn revisions_of_chunks(
    store: &SeaOrmStore,
) -> Result<BTreeSet<Revision>, StoreError> {
    // Read before and after: a number may come or go in between.
    let mut gone = deleted(&store.readers).await?;
    let backend = store.readers.get_database_backend();
    let of_chunks = campaign_chunk::Entity::find()
        .select_only()
        .column(campaign_chunk::Column::Revision)
        .distinct()
        .build(backend);
    let of_lists = campaign_list::Entity::find()
        .select_only()
        .column(campaign_list::Column::Revision)
        .distinct()
        .build(backend);
    let mut revisions = BTreeSet::new();
    for query in [of_chunks, of_lists] {
        for row in store.readers.query_all_raw(query).await.map_err(classify)? {
            let revision = row.try_get::<i64>("", "revision");
            revisions.extend(revision.map(|revision| Revision(revision.cast_unsigned())));
        }
    }
    gone.extend(deleted(&store.readers).await?);
    Ok(&revisions - &gone)
}
