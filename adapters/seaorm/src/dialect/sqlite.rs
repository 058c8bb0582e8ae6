//! `SQLite`. Its JSON has no bytes, so causes travel in hexadecimal digits.

use super::Dialect;

/// How `SQLite` says it.
pub(crate) const SQLITE: Dialect = Dialect {
    move_lane: "
        UPDATE lane_state
        SET applied_next = ?4,
            replied_next = max(replied_next, min(?5, ?3)),
            last_id = coalesce(?6, last_id)
        WHERE lane = ?1 AND epoch = ?2 AND applied_next = ?3
        RETURNING expired_up_to, (SELECT imports FROM installation)",
    // CROSS JOIN keeps the order: one look into the shops for each id. `%s` shows what is
    // stored as it is, where `%d` would make a number of anything.
    load_states: "
        SELECT
            (SELECT imports FROM installation),
            (SELECT applied_next FROM lane_state WHERE lane = ?1),
            group_concat(format('%s %s %s %s %s %s %s', wanted.key, base_radius, base_revision,
                base_effect, radius, version, hex(causes)), char(10))
        FROM json_each(?2) AS wanted
        CROSS JOIN shop_state ON shop_state.lane = ?1 AND shop_state.id = wanted.value",
    store_states,
    scan_ids: "
        SELECT group_concat(id, char(10))
        FROM (SELECT id FROM shop WHERE lane = ?1 AND id > ?2 ORDER BY id LIMIT 5000)",
    scan_shops: "
        SELECT json_group_array(json_array(lane, id, category, region, latitude, longitude))
        FROM (SELECT lane, id, category, region, latitude, longitude FROM shop
              WHERE (lane, id) > (?1, ?2)
                AND (?3 IS NULL OR region IN (SELECT value FROM json_each(?3)))
                AND (?4 IS NULL OR category IN (SELECT value FROM json_each(?4)))
                AND latitude BETWEEN ?5 AND ?6 AND longitude BETWEEN ?7 AND ?8
              ORDER BY lane, id LIMIT 5000)",
    insert_receipt: "
        INSERT INTO receipt (lane, epoch, from_position, to_position, log_id, stored_at, entries)
        SELECT lane, ?2, ?3, ?4, log_id, ?5, ?6 FROM lane_state WHERE lane = ?1",
    // Only the oldest are looked at: of them the rest are younger, so they stay too.
    prune_receipts: "
        DELETE FROM receipt WHERE (lane, epoch, from_position) IN (
            SELECT old.lane, old.epoch, old.from_position
            FROM (SELECT lane, epoch, from_position, to_position, log_id, stored_at
                  FROM receipt WHERE lane = ?1 ORDER BY epoch, from_position LIMIT 8) AS old
            JOIN lane_state ON lane_state.lane = old.lane
            WHERE old.stored_at < ?2
              AND (old.to_position <= lane_state.replied_next
                   OR old.log_id <> lane_state.log_id))",
};

/// Replaces whole rows: half the work of an update that joins the new values. The binds have no
/// numbers, because the driver searches for those that have one after another.
fn store_states(shops: usize) -> String {
    let mut sql = String::from(
        "REPLACE INTO shop_state (lane, id, base_radius, base_revision, base_effect, radius, \
         version, causes) VALUES ",
    );
    for shop in 0..shops {
        sql.push_str(if shop == 0 { "(?,?,?,?,?,?,?,?)" } else { ",(?,?,?,?,?,?,?,?)" });
    }
    sql
}
