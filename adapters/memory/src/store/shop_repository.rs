//! Queries and imports shops.

use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;
use catchment_domain::ports::{ShopGroup, ShopRepository, StoreError, VisitImportReceipt};
use catchment_domain::{
    Damage, Found, ImportBatch, ImportOrder, ImportReceipt, ImportTerms, Lane, Lanes, Profile,
    Revision, Scope, Shop, ShopCursor, ShopId, StoredItem,
};

use super::campaigns::damage;
use super::{MemoryStore, ShopRow, Tables};

#[async_trait]
impl ShopRepository for MemoryStore {
    fn lanes(&self) -> Lanes {
        self.tables().count
    }

    async fn get(&self, id: &ShopId) -> Result<Option<Shop>, StoreError> {
        let tables = self.tables();
        Ok(tables.shops.get(&tables.key(id)).map(|row| row.shop(id)).transpose()?)
    }

    async fn list(
        &self,
        scope: &Scope,
        after: Option<&ShopCursor>,
        limit: usize,
    ) -> Result<Found<Vec<Shop>>, StoreError> {
        let tables = self.tables();
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let shops = tables.shops.range::<ShopCursor, _>((after, Bound::Unbounded));
        let shops = shops
            .filter(|(key, row)| row.is_profile_spoiled || scope.contains(&key.id, &row.profile));
        Ok(Found::page(shops.map(|(key, row)| row.shop(&key.id)), limit))
    }

    async fn groups(&self, scope: &Scope) -> Result<Vec<ShopGroup>, StoreError> {
        let shops = self.list(scope, None, usize::MAX).await?.found.into_iter();
        let group =
            |shop: Shop| ShopGroup { region: shop.profile.region, state: shop.state, shops: 1 };
        Ok(shops.map(group).collect())
    }

    async fn count(&self, scope: &Scope) -> Result<u64, StoreError> {
        Ok(self.tables().scope(scope).count() as u64)
    }

    async fn regions(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.tables().distinct(|profile| &profile.region))
    }

    async fn categories(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.tables().distinct(|profile| &profile.category))
    }

    async fn take_revision(&self) -> Result<Revision, StoreError> {
        Ok(self.tables().take_revision())
    }

    async fn newest_revision(&self) -> Result<Revision, StoreError> {
        Ok(self.tables().revision)
    }

    async fn import(
        &self,
        batch: &ImportBatch,
        terms: ImportTerms,
    ) -> Result<ImportReceipt, StoreError> {
        let mut tables = self.tables();
        let (lane, at) = (batch.lane(), self.clock.now());
        if batch.rows().iter().any(|row| tables.key(&row.id).lane != lane) {
            let what = format!("the store has {} lanes now", tables.count.count());
            return Err(StoreError::Refused { what });
        }
        let known = batch.rows().iter().map(|row| tables.load(&tables.key(&row.id)));
        let known = known.map(|loaded| loaded.map(|shop| shop.state)).collect::<Result<_, _>>()?;
        let number = tables.lane(lane)?.count_import();
        let revision = match terms.order {
            ImportOrder::Taken(revision) => revision,
            ImportOrder::Overruling => tables.take_revision(),
        };
        let mut entries = Vec::with_capacity(batch.rows().len());
        for (row, (state, entry)) in batch.rows().iter().zip(batch.apply(known, terms, revision)) {
            let profile = row.profile.clone();
            let stored = ShopRow { profile, state, spoiled: false, is_profile_spoiled: false };
            let key = tables.key(&row.id);
            tables.shops.insert(key, stored);
            entries.push(entry);
        }
        let receipt = ImportReceipt { lane, number, revision, at, entries };
        tables.lane(lane)?.keep_import(receipt.clone(), self.receipts_kept);
        Ok(receipt)
    }

    async fn visit_import_receipts(
        &self,
        lane: Lane,
        visit: VisitImportReceipt<'_>,
    ) -> Result<Vec<Damage>, StoreError> {
        let (tables, mut damaged) = (self.tables(), Vec::new());
        let Some(row) = tables.lanes.get(&lane) else { return Ok(damaged) };
        for receipt in &row.import_receipts {
            if row.spoiled_imports.contains(&receipt.number) {
                damaged.push(damage(StoredItem::ImportReceipt(lane, receipt.number)));
            } else {
                visit(receipt.clone());
            }
        }
        Ok(damaged)
    }
}

impl Tables {
    /// Returns the shops of a scope, in the order of lane and id.
    pub(super) fn scope(&self, scope: &Scope) -> impl Iterator<Item = &ShopCursor> {
        let shops = self.shops.iter();
        shops.filter(|(key, row)| scope.contains(&key.id, &row.profile)).map(|(key, _)| key)
    }

    fn distinct(&self, word: impl Fn(&Profile) -> &String) -> Vec<String> {
        let words: BTreeSet<&String> = self.shops.values().map(|row| word(&row.profile)).collect();
        words.into_iter().cloned().collect()
    }
}
