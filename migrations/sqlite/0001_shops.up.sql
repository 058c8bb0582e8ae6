-- What applying requests needs.
--
-- installation: one row. It has the number of lanes that the database was made for, and the
--   newest revision that was given out.
-- shop: what shops are.
-- shop_state: what is in force at them. It is a table of its own because a batch writes whole
--   rows of neighbours, and the bytes written are its cost. "causes" is one value: a row per
--   cause would halve the speed.
-- lane_state: one row per lane of requests, from the beginning, with its owner, how far it was
--   applied, and how many imports wrote its shops. Every writer of a lane's shops takes this row
--   first, so that the shops need no locks. "log_id" is empty until the lane is claimed.
-- receipt: one row per batch, because a row per shop would take a quarter of the speed. Its key
--   has the epoch: a log that is new with its process begins again at position 0, but its
--   epochs go on.
-- import_receipt: what an import did to the shops of a lane, one row per transaction.
--
-- WITHOUT ROWID stores the rows of shop and shop_state in the order of their key, so that the
-- shops of a lane lie together. SQLite compares texts byte by byte, as the domain does.

CREATE TABLE installation (
    id integer NOT NULL PRIMARY KEY,
    lanes integer NOT NULL,
    revision integer NOT NULL
);

CREATE TABLE shop (
    lane integer NOT NULL,
    id varchar(128) NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    region text NOT NULL,
    latitude double NOT NULL,
    longitude double NOT NULL,
    PRIMARY KEY (lane, id)
) WITHOUT ROWID;

CREATE TABLE shop_state (
    lane integer NOT NULL,
    id varchar(128) NOT NULL,
    base_radius integer NOT NULL,
    base_revision integer NOT NULL,
    base_effect smallint NOT NULL,
    radius integer NOT NULL,
    version integer NOT NULL,
    causes blob,
    PRIMARY KEY (lane, id)
) WITHOUT ROWID;

CREATE TABLE lane_state (
    lane integer NOT NULL PRIMARY KEY,
    log_id varchar(32),
    log_lasting boolean NOT NULL,
    epoch integer NOT NULL,
    applied_next integer NOT NULL,
    replied_next integer NOT NULL,
    last_id varchar(36),
    expired_up_to integer,
    imports integer NOT NULL
);

CREATE TABLE receipt (
    lane integer NOT NULL,
    epoch integer NOT NULL,
    from_position integer NOT NULL,
    to_position integer NOT NULL,
    log_id varchar(32) NOT NULL,
    stored_at integer NOT NULL,
    entries blob NOT NULL,
    PRIMARY KEY (lane, epoch, from_position)
);

CREATE TABLE import_receipt (
    lane integer NOT NULL,
    number integer NOT NULL,
    revision integer NOT NULL,
    stored_at integer NOT NULL,
    entries blob NOT NULL,
    PRIMARY KEY (lane, number)
);
