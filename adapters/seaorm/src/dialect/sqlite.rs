//! The dialect of `SQLite`.

use super::{Dialect, ShopTable};
use crate::hot_path::SqlitePath;

/// A table with what is stored of shops.
macro_rules! shop_table {
    ($name:literal) => {
        ShopTable {
            name: $name,
            scan: concat!(
                "SELECT group_concat(id, char(10)) FROM (SELECT id FROM ",
                $name,
                " WHERE lane = ?1 AND id > ?2 ORDER BY id LIMIT 5000)"
            ),
            update: concat!(
                "UPDATE ",
                $name,
                " AS moved SET lane = pair.value ->> 1 FROM json_each(?2) AS pair
                 WHERE moved.lane = ?1 AND moved.id = pair.value ->> 0"
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
