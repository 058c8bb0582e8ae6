//! Reads the ids of all shops of a scope, in the order of lane and id. Thousands of ids come in one
//! value, because nothing else about the shops is needed.

use std::collections::BTreeSet;

use catchment_domain::ports::StoreError;
use catchment_domain::{Damage, Lane, Location, Profile, Scope, ShopId};
use sea_orm::ConnectionTrait;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::dialect::ShopTable;
use crate::entity::shop::misplaced;
use crate::error::{Row, classify};
use crate::statement::statement;
use crate::store::SeaOrmStore;

/// A scanned row: lane, id, category, region, latitude, longitude.
#[derive(Deserialize)]
struct ScannedRow(i32, String, String, String, f64, f64);

impl SeaOrmStore {
    /// Passes each shop of a scope to `show`, in the order of lane and id.
    pub(crate) async fn scan(
        &self,
        scope: &Scope,
        mut show: impl FnMut(Lane, ShopId) + Send,
    ) -> Result<(), StoreError> {
        if *scope == Scope::everything() {
            return self.scan_everything(show).await;
        }
        let texts = |texts: &BTreeSet<String>| {
            (!texts.is_empty()).then(|| texts.iter().cloned().collect::<Json>().to_string())
        };
        let [south, north, west, east] =
            scope.within.map_or([-90.0, 90.0, -180.0, 180.0], |circle| circle.bounds());
        let (mut lane, mut last) = (i32::MIN, String::new());
        loop {
            let values = [
                lane.into(),
                last.as_str().into(),
                texts(&scope.regions).into(),
                texts(&scope.categories).into(),
                south.into(),
                north.into(),
                west.into(),
                east.into(),
            ];
            let query = statement(&self.readers, self.dialect.scan_shops, values);
            let row = self.readers.query_one_raw(query).await.map_err(classify)?;
            let json: Option<String> =
                row.map(|row| row.try_get_by_index(0)).transpose().map_err(classify)?;
            let table = Row { table: "shop", key: &format_args!("the shops behind `{last}`") };
            let rows: Vec<ScannedRow> = table.value(
                "lane .. longitude",
                serde_json::from_str(json.as_deref().unwrap_or("[]")),
            )?;
            let Some(ScannedRow(last_lane, last_id, ..)) = rows.last() else { return Ok(()) };
            (lane, last) = (*last_lane, last_id.clone());
            for row in rows {
                self.show_if_in_scope(scope, row, &mut show)?;
            }
        }
    }
}

impl SeaOrmStore {
    /// Passes every shop to `show`. Only the ids are read.
    async fn scan_everything(
        &self,
        mut show: impl FnMut(Lane, ShopId) + Send,
    ) -> Result<(), StoreError> {
        let [profiles, _] = &self.dialect.shop_tables;
        for lane in self.settings.lanes.iter() {
            let mut last = String::new();
            loop {
                let ids = read_page(&self.readers, profiles, (lane, &last)).await?;
                let Some(end) = ids.last() else { break };
                for id in &ids {
                    let row = Row { table: "shop", key: &format_args!("shop `{id}`") };
                    if let Some(id) = self.shop_id(&row, (lane.0.into(), id))? {
                        show(lane, id);
                    }
                }
                end.clone_into(&mut last);
            }
        }
        Ok(())
    }
}

impl SeaOrmStore {
    fn show_if_in_scope(
        &self,
        scope: &Scope,
        scanned: ScannedRow,
        show: &mut impl FnMut(Lane, ShopId),
    ) -> Result<(), StoreError> {
        let ScannedRow(lane, id, category, region, latitude, longitude) = scanned;
        let row = Row { table: "shop", key: &format_args!("shop `{id}`") };
        let location = row.value("latitude", Location::new(latitude, longitude))?;
        // A scope does not look at names.
        let profile = Profile { name: String::new(), category, region, location };
        if let Some(id) = self.shop_id(&row, (lane, &id))?
            && scope.contains(&id, &profile)
        {
            show(self.lanes().lane_of(&id), id);
        }
        Ok(())
    }

    /// Parses the id of a row in a lane. Returns `None` if it is not the id of a shop, or if the
    /// shop belongs to another lane. Such a row is no shop to which a request can be sent, and must
    /// not keep a campaign from the other shops.
    fn shop_id(
        &self,
        row: &Row<'_>,
        (lane, id): (i32, &str),
    ) -> Result<Option<ShopId>, StoreError> {
        let what = match row.text::<ShopId>("id", id) {
            Ok(id) => match misplaced(&id, (lane, self.lanes().lane_of(&id).0.into())) {
                None => return Ok(Some(id)),
                Some(Damage { what, .. }) => what,
            },
            Err(StoreError::BadData { what }) => what,
            Err(error) => return Err(error),
        };
        tracing::error!(what, "a row of a shop is left out: `catchment repair` names it");
        Ok(None)
    }
}

/// Reads the next ids of a lane behind a shop, in order.
pub(crate) async fn read_page(
    connection: &impl ConnectionTrait,
    table: &ShopTable,
    (lane, last): (Lane, &str),
) -> Result<Vec<String>, StoreError> {
    let query = statement(connection, table.scan, [i32::from(lane.0).into(), last.into()]);
    let row = connection.query_one_raw(query).await.map_err(classify)?;
    let page: Option<Option<String>> =
        row.map(|row| row.try_get_by_index(0)).transpose().map_err(classify)?;
    let Some(ids) = page.flatten() else { return Ok(Vec::new()) };
    let row = Row { table: table.name, key: &format_args!("the shops behind `{last}`") };
    row.value("id", serde_json::from_str(&ids))
}
