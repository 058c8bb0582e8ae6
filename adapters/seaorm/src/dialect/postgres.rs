//! The dialect of `PostgreSQL`.

use super::{Dialect, ShopTable};
use crate::hot_path::PostgresPath;

/// A table with what is stored of shops.
macro_rules! shop_table {
    ($name:literal) => {
        ShopTable {
            name: $name,
            scan: concat!(
                "SELECT json_agg(id ORDER BY id)::text FROM (SELECT id FROM ",
                $name,
                " WHERE lane = $1 AND id > $2 ORDER BY id LIMIT 5000) AS page"
            ),
            update: concat!(
                "UPDATE ",
                $name,
                " AS moved SET lane = (pair ->> 1)::int FROM jsonb_array_elements($2::jsonb) AS pair
                 WHERE moved.lane = $1 AND moved.id = pair ->> 0"
            ),
        }
    };
}

/// The dialect of `PostgreSQL`.
pub(crate) const POSTGRES: Dialect = Dialect {
    clock: Some("floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"),
    scan_shops: "
        SELECT coalesce(json_agg(json_build_array(lane, id, category, region, latitude, longitude)
                                 ORDER BY lane, id), '[]')::text
        FROM (SELECT lane, id, category, region, latitude, longitude FROM shop
              WHERE (lane, id) > ($1, $2)
                AND ($3::text IS NULL
                     OR region IN (SELECT jsonb_array_elements_text($3::jsonb)))
                AND ($4::text IS NULL
                     OR category IN (SELECT jsonb_array_elements_text($4::jsonb)))
                AND latitude BETWEEN $5 AND $6 AND longitude BETWEEN $7 AND $8
              ORDER BY lane, id LIMIT 5000) AS page",
    shop_tables: [shop_table!("shop"), shop_table!("shop_state")],
    hot_path: &PostgresPath,
};
