//! The dialect of `PostgreSQL`.

use super::Dialect;
use crate::hot_path::PostgresPath;

/// The dialect of `PostgreSQL`.
pub(crate) const POSTGRES: Dialect = Dialect {
    clock: Some("floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"),
    scan_ids: "
        SELECT string_agg(id, chr(10) ORDER BY id)
        FROM (SELECT id FROM shop WHERE lane = $1 AND id > $2 ORDER BY id LIMIT 5000) AS page",
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
    hot_path: &PostgresPath,
};
