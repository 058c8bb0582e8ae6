//! Shops, for queries and imports.

use async_trait::async_trait;
use catchment_domain::ports::{ShopGroup, ShopRepository, StoreError, VisitImportReceipt};
use catchment_domain::{
    Damage, Found, ImportBatch, ImportEntry, ImportOrder, ImportReceipt, ImportTerms, Lane, Lanes,
    Revision, Scope, Shop, ShopCursor, ShopId, ShopState,
};
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::damaged::{import_receipt_of, read_page};
use crate::entity::{import_receipt, installation, shop};
use crate::error::{classify, stored};
use crate::hot_path::CountedImport;
use crate::pages::Pages;
use crate::retry::{check_written, while_busy_or_locked};
use crate::store::{SeaOrmStore, next_revision};
use crate::writers::Transaction;

/// How many receipts of imports are held at a time.
const RECEIPTS: usize = 100;

/// How many old receipts may be deleted when a receipt of an import is added, from the oldest.
const PRUNED: u64 = 8;

#[async_trait]
impl ShopRepository for SeaOrmStore {
    fn lanes(&self) -> Lanes {
        self.settings.lanes
    }

    async fn get(&self, id: &ShopId) -> Result<Option<Shop>, StoreError> {
        let query = shop::with_states()
            .filter(shop::Column::Lane.eq(i32::from(self.settings.lanes.lane_of(id).0)))
            .filter(shop::Column::Id.eq(id.as_str()))
            .build(self.readers.get_database_backend());
        let row = self.readers.query_one_raw(query).await.map_err(classify)?;
        let shop = row.map(|row| shop::read(&row, self.lanes(), |_, _| true));
        Ok(shop.transpose()?.flatten().transpose()?)
    }

    async fn list(
        &self,
        scope: &Scope,
        after: Option<&ShopCursor>,
        limit: usize,
    ) -> Result<Found<Vec<Shop>>, StoreError> {
        let mut shops = Vec::new();
        let mut pages = Pages::new(scope, self.settings.lanes, after);
        let mut wanted = limit;
        while 0 < wanted
            && let Some(page) = pages.next(self, wanted).await?
        {
            wanted -= page.iter().filter(|shop| shop.is_ok()).count().min(wanted);
            shops.extend(page);
        }
        Ok(Found::page(shops, limit))
    }

    async fn groups(&self, scope: &Scope) -> Result<Vec<ShopGroup>, StoreError> {
        self.shop_groups(scope).await
    }

    async fn count(&self, scope: &Scope) -> Result<u64, StoreError> {
        if *scope == Scope::everything() {
            return shop::Entity::find().count(&self.readers).await.map_err(classify);
        }
        let mut count = 0;
        if scope.ids.is_some() {
            let mut pages = Pages::new(scope, self.settings.lanes, None);
            while let Some(page) = pages.next(self, usize::MAX).await? {
                count += page.len() as u64;
            }
        } else {
            self.scan(scope, |_, _| count += 1).await?;
        }
        Ok(count)
    }

    async fn regions(&self) -> Result<Vec<String>, StoreError> {
        self.distinct(shop::Column::Region).await
    }

    async fn categories(&self) -> Result<Vec<String>, StoreError> {
        self.distinct(shop::Column::Category).await
    }

    async fn take_revision(&self) -> Result<Revision, StoreError> {
        while_busy_or_locked(|| self.try_take_revision()).await
    }

    async fn newest_revision(&self) -> Result<Revision, StoreError> {
        let row = installation::Entity::find_by_id(installation::ONLY);
        let row = row.one(&self.readers).await.map_err(classify)?;
        installation::newest_revision(row.map(|row| row.revision))
    }

    async fn import(
        &self,
        batch: &ImportBatch,
        terms: ImportTerms,
    ) -> Result<ImportReceipt, StoreError> {
        while_busy_or_locked(|| self.try_import(batch, terms)).await
    }

    async fn visit_import_receipts(
        &self,
        lane: Lane,
        visit: VisitImportReceipt<'_>,
    ) -> Result<Vec<Damage>, StoreError> {
        let of_lane = import_receipt::Column::Lane.eq(i32::from(lane.0));
        let rows = import_receipt::Entity::find().filter(of_lane);
        let rows = (&rows, import_receipt::Column::Number);
        let (mut behind, mut damaged) = (None, Vec::new());
        loop {
            let (next, read) = ((behind, RECEIPTS), ImportReceipt::try_from);
            let page = read_page(&self.readers, rows, next, import_receipt_of, read).await?;
            damaged.extend(page.damaged);
            behind = page.found.last().map(|last| stored(last.number.0));
            let is_last = page.found.len() < RECEIPTS;
            page.found.into_iter().for_each(&mut *visit);
            if is_last {
                return Ok(damaged);
            }
        }
    }
}

/// Stores the profiles of shops, old and new.
async fn store_profiles(
    connection: &impl ConnectionTrait,
    batch: &ImportBatch,
) -> Result<(), StoreError> {
    let mut renewed = OnConflict::columns([shop::Column::Lane, shop::Column::Id]);
    renewed.update_columns([
        shop::Column::Name,
        shop::Column::Category,
        shop::Column::Region,
        shop::Column::Latitude,
        shop::Column::Longitude,
    ]);
    let rows = batch.rows().iter().map(|row| shop::active(batch.lane(), row));
    let written = shop::Entity::insert_many(rows)
        .on_conflict(renewed)
        .exec_without_returning(connection)
        .await
        .map_err(classify)?;
    check_written("shop", written, batch.rows().len())
}

impl SeaOrmStore {
    async fn try_take_revision(&self) -> Result<Revision, StoreError> {
        let transaction = self.begin().await?;
        let revision = next_revision(transaction.connection()?).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    async fn try_import(
        &self,
        batch: &ImportBatch,
        terms: ImportTerms,
    ) -> Result<ImportReceipt, StoreError> {
        let (path, lane) = (self.dialect.hot_path, batch.lane());
        let (transaction, counted) = self.begin_import(lane).await?;
        let connection = transaction.connection()?;
        let ids: Vec<ShopId> = batch.rows().iter().map(|row| row.id.clone()).collect();
        let states = path.load_states(connection, lane, &ids).await?;
        let revision = match terms.order {
            ImportOrder::Taken(revision) => revision,
            ImportOrder::Overruling => next_revision(connection).await?,
        };
        let (states, entries): (Vec<ShopState>, Vec<ImportEntry>) =
            batch.apply(states, terms, revision).into_iter().unzip();
        path.store_states(connection, lane, &ids.iter().zip(&states).collect::<Vec<_>>()).await?;
        store_profiles(connection, batch).await?;
        let receipt =
            ImportReceipt { lane, number: counted.number, revision, at: counted.now, entries };
        self.keep_import(connection, &receipt).await?;
        transaction.commit().await?;
        Ok(receipt)
    }

    /// Begins the transaction of an import, or of a repair: see [`HotPath::begin_import`]. Fails if
    /// the lane may not be that of its shops any more.
    ///
    /// [`HotPath::begin_import`]: crate::hot_path::HotPath::begin_import
    pub(crate) async fn begin_import(
        &self,
        lane: Lane,
    ) -> Result<(Transaction, CountedImport), StoreError> {
        match self.dialect.hot_path.begin_import(self.database(), lane).await {
            Ok((transaction, counted)) => {
                self.check_lanes(transaction.connection()?, None).await?;
                Ok((transaction, counted))
            }
            Err(error) => {
                // With fewer lanes, it has no row any more.
                self.check_lanes(&self.readers, None).await?;
                Err(error)
            }
        }
    }

    /// Adds the receipt of an import, and deletes a few old receipts of its lane.
    pub(crate) async fn keep_import(
        &self,
        connection: &impl ConnectionTrait,
        receipt: &ImportReceipt,
    ) -> Result<(), StoreError> {
        let row = import_receipt::active(receipt);
        let added = import_receipt::Entity::insert(row).exec_without_returning(connection).await;
        added.map_err(classify)?;
        let lane = import_receipt::Column::Lane.eq(i32::from(receipt.lane.0));
        let oldest = Query::select()
            .column(import_receipt::Column::Number)
            .from(import_receipt::Entity)
            .and_where(lane.clone())
            .order_by(import_receipt::Column::Number, Order::Asc)
            .limit(PRUNED)
            .to_owned();
        import_receipt::Entity::delete_many()
            .filter(lane)
            .filter(import_receipt::Column::Number.in_subquery(oldest))
            .filter(import_receipt::Column::StoredAt.lt(self.kept_from(receipt.at).millis()))
            .exec(connection)
            .await
            .map(drop)
            .map_err(classify)
    }

    async fn distinct(&self, column: shop::Column) -> Result<Vec<String>, StoreError> {
        shop::Entity::find()
            .select_only()
            .column(column)
            .distinct()
            .order_by_asc(column)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(classify)
    }
}
