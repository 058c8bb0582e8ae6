//! Asking about shops and bringing them in.

use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;
use catchment_domain::ports::{ImportTerms, Imported, ShopRepository, StoreError};
use catchment_domain::{
    Lanes, Profile, Revision, Scope, Shop, ShopCursor, ShopId, ShopImport, ShopState,
};

use super::{MemoryStore, ShopRow, Tables};

#[async_trait]
impl ShopRepository for MemoryStore {
    fn lanes(&self) -> Lanes {
        self.lanes
    }

    async fn get(&self, id: &ShopId) -> Result<Option<Shop>, StoreError> {
        self.tables().shops.get(&self.key(id)).map(|row| row.shop(id)).transpose()
    }

    async fn list(
        &self,
        scope: &Scope,
        after: Option<&ShopCursor>,
        limit: usize,
    ) -> Result<Vec<Shop>, StoreError> {
        let tables = self.tables();
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let shops = tables.shops.range::<ShopCursor, _>((after, Bound::Unbounded));
        let shops = shops.filter(|(key, row)| scope.contains(&key.id, &row.profile));
        shops.take(limit).map(|(key, row)| row.shop(&key.id)).collect()
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

    async fn import(
        &self,
        rows: &[ShopImport],
        terms: ImportTerms,
    ) -> Result<Imported, StoreError> {
        let mut tables = self.tables();
        for row in rows {
            tables.load(&self.key(&row.id))?;
        }
        let mut imported = Imported::default();
        for row in rows {
            if tables.import(self.key(&row.id), row, terms) {
                imported.added += 1;
            } else {
                imported.updated += 1;
            }
        }
        Ok(imported)
    }
}

impl Tables {
    /// The shops of a scope, in the order of lane and id.
    pub(super) fn scope(&self, scope: &Scope) -> impl Iterator<Item = &ShopCursor> {
        let shops = self.shops.iter();
        shops.filter(|(key, row)| scope.contains(&key.id, &row.profile)).map(|(key, _)| key)
    }

    fn distinct(&self, word: impl Fn(&Profile) -> &String) -> Vec<String> {
        let words: BTreeSet<&String> = self.shops.values().map(|row| word(&row.profile)).collect();
        words.into_iter().cloned().collect()
    }

    /// Adds or updates a shop. Returns whether it is new.
    fn import(&mut self, key: ShopCursor, row: &ShopImport, terms: ImportTerms) -> bool {
        if let Some(known) = self.shops.get_mut(&key) {
            known.profile = row.profile.clone();
            known.state.import(row.base, terms.revision, terms.floor);
            return false;
        }
        let base = row.base.unwrap_or(terms.default_base);
        let state = ShopState::new(base, terms.revision);
        self.shops.insert(key, ShopRow { profile: row.profile.clone(), state, spoiled: false });
        true
    }
}
