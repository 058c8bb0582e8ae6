-- What applying requests needs.
--
-- installation: one row. It has the number of lanes, and the newest revision that was given out.
-- shop: what shops are.
-- shop_state: what is in force at them. It is a table of its own because a batch writes whole
--   rows of neighbours, and the bytes written are its cost. "causes" is one value: a row per
--   cause would halve the speed.
-- lane_state: one row per lane of requests, from the beginning, with its owner, how far it was
--   applied, and how many imports wrote its shops. Every writer of a lane's shops takes this row
--   first, so that the shops need no locks. "log_id" is empty until the lane is claimed.
-- left_log: the logs of requests that the database has left: none of them is ever read from its
--   beginning again.
-- receipt: one row per batch, because a row per shop would take a quarter of the speed. Its key
--   has the epoch: a log that is new with its process begins again at position 0, but its
--   epochs go on.
-- import_receipt: what an import did to the shops of a lane, one row per transaction.
--
-- Each campaign replaces every row of shop_state once, each batch a row of lane_state. With half of
-- a page free, the new rows find room beside the old ones and no index is written; the old ones
-- are then cleared away by whoever comes next. What that leaves, vacuuming takes after a
-- twentieth of the rows has changed, and does not rest meanwhile.
--
-- COLLATE "C" compares ids, categories and regions byte by byte, as the domain does, whatever
-- language the database speaks.

CREATE TABLE installation (
    id integer NOT NULL PRIMARY KEY,
    lanes integer NOT NULL,
    revision bigint NOT NULL
);

CREATE TABLE shop (
    lane integer NOT NULL,
    id varchar(128) COLLATE "C" NOT NULL,
    name text NOT NULL,
    category text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    PRIMARY KEY (lane, id)
);

CREATE TABLE shop_state (
    lane integer NOT NULL,
    id varchar(128) COLLATE "C" NOT NULL,
    base_radius integer NOT NULL,
    base_revision bigint NOT NULL,
    base_effect smallint NOT NULL,
    radius integer NOT NULL,
    version bigint NOT NULL,
    causes bytea,
    PRIMARY KEY (lane, id)
) WITH (
    fillfactor = 45,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE TABLE lane_state (
    lane integer NOT NULL PRIMARY KEY,
    log_id varchar(32),
    log_lasting boolean NOT NULL,
    epoch bigint NOT NULL,
    applied_next bigint NOT NULL,
    replied_next bigint NOT NULL,
    last_id varchar(36),
    expired_up_to bigint,
    imports bigint NOT NULL
) WITH (fillfactor = 45);

CREATE TABLE left_log (
    log_id varchar(32) NOT NULL PRIMARY KEY
);

CREATE TABLE receipt (
    lane integer NOT NULL,
    epoch bigint NOT NULL,
    from_position bigint NOT NULL,
    to_position bigint NOT NULL,
    log_id varchar(32) NOT NULL,
    stored_at bigint NOT NULL,
    entries bytea NOT NULL,
    PRIMARY KEY (lane, epoch, from_position)
);

CREATE TABLE import_receipt (
    lane integer NOT NULL,
    number bigint NOT NULL,
    revision bigint NOT NULL,
    stored_at bigint NOT NULL,
    entries bytea NOT NULL,
    PRIMARY KEY (lane, number)
);
