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
-- STRICT: like PostgreSQL, SQLite refuses a value whose type is not that of the column. So no
-- program can store a key that ours cannot read.
-- WITHOUT ROWID stores the rows of shop and shop_state in the order of their key, so that the
-- shops of a lane lie together. SQLite compares texts byte by byte, as the domain does.

CREATE TABLE installation (
    id integer NOT NULL PRIMARY KEY,
    lanes integer NOT NULL,
    revision integer NOT NULL
) STRICT;

CREATE TABLE shop (
    lane integer NOT NULL CHECK (lane BETWEEN 0 AND 65535),
    id text NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    region text NOT NULL,
    latitude real NOT NULL,
    longitude real NOT NULL,
    PRIMARY KEY (lane, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE shop_state (
    lane integer NOT NULL,
    id text NOT NULL,
    base_radius integer NOT NULL,
    base_revision integer NOT NULL,
    base_effect integer NOT NULL,
    radius integer NOT NULL,
    version integer NOT NULL,
    causes blob,
    PRIMARY KEY (lane, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE lane_state (
    lane integer NOT NULL PRIMARY KEY,
    log_id text,
    log_lasting integer NOT NULL,
    epoch integer NOT NULL,
    applied_next integer NOT NULL,
    replied_next integer NOT NULL,
    last_id text,
    expired_up_to integer,
    imports integer NOT NULL
) STRICT;

CREATE TABLE left_log (
    log_id text NOT NULL PRIMARY KEY
) STRICT;

CREATE TABLE receipt (
    lane integer NOT NULL,
    epoch integer NOT NULL,
    from_position integer NOT NULL,
    to_position integer NOT NULL,
    log_id text NOT NULL,
    stored_at integer NOT NULL,
    entries blob NOT NULL,
    PRIMARY KEY (lane, epoch, from_position)
) STRICT;

CREATE TABLE import_receipt (
    lane integer NOT NULL,
    number integer NOT NULL,
    revision integer NOT NULL,
    stored_at integer NOT NULL,
    entries blob NOT NULL,
    PRIMARY KEY (lane, number)
) STRICT;
