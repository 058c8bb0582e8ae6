//! The dialect of `SQLite`.

use super::{Dialect, ShopTable};
use crate::hot_path::SqlitePath;

/// A table with what is stored of shops.
macro_rules! shop_table {
    ($name:literal) => {
        ShopTable {
            name: $name,
            scan: concat!(
                "SELECT json_group_array(id) FROM (SELECT id FROM ",
                $name,
                " WHERE lane = ?1 AND id > ?2 ORDER BY id LIMIT 5000)"
            ),
            // Without the table of pairs, SQLite compares each row of the lane with each pair.
            update: concat!(
                "WITH pairs(id, lane) AS MATERIALIZED
                      (SELECT value ->> 0, value ->> 1 FROM json_each(?2))
                 UPDATE ",
                $name,
                " AS moved SET lane = pairs.lane FROM pairs
                 WHERE moved.lane = ?1 AND moved.id = pairs.id"
            ),
        }
    };
}

/// The dialect of `SQLite`.
pub(crate) const SQLITE: Dialect = Dialect {
    clock: None,
    scan_shops: "
        SELECT json_group_array(json_array(lane, id, category, region, latitude, longitude))
        FROM (SELECT lane, id, category, region, latitude, longitude FROM shop
              WHERE (lane, id) > (?1, ?2)
                AND (?3 IS NULL OR region IN (SELECT value FROM json_each(?3)))
                AND (?4 IS NULL OR category IN (SELECT value FROM json_each(?4)))
                AND latitude BETWEEN ?5 AND ?6 AND longitude BETWEEN ?7 AND ?8
              ORDER BY lane, id LIMIT 5000)",
    shop_tables: [shop_table!("shop"), shop_table!("shop_state")],
    hot_path: &SqlitePath,
};
