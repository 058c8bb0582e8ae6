-- What starting and following campaigns needs.
--
-- campaign: one row per campaign.
-- campaign_list: the ids of its frozen list of shops, a few thousand in a row, one id in a line.
--   It is a table of its own because it never changes: recording outcomes does not write it.
-- campaign_chunk: the outcomes of the same shops, one byte per shop and phase, with details only
--   for what was not plain success. There is never a row per shop.
-- reply_lane: who reads which lane of replies, and how far.

CREATE TABLE campaign (
    revision integer NOT NULL PRIMARY KEY,
    id varchar(36) NOT NULL,
    nonce integer NOT NULL,
    kind varchar(31) NOT NULL,
    limited_to varchar(16) NOT NULL,
    reason text NOT NULL,
    shops integer NOT NULL,
    created_at integer NOT NULL,
    timeout_ms integer NOT NULL,
    until integer,
    replaces_revision integer,
    replaces_id varchar(36),
    replaces_deadline integer,
    replaced_by integer,
    reply_lane integer,
    attempt integer NOT NULL,
    deadline integer NOT NULL,
    state varchar(8) NOT NULL,
    open integer NOT NULL,
    unreleased integer NOT NULL
);

CREATE TABLE campaign_list (
    revision integer NOT NULL,
    number integer NOT NULL,
    ids text NOT NULL,
    PRIMARY KEY (revision, number)
);

CREATE TABLE campaign_chunk (
    revision integer NOT NULL,
    number integer NOT NULL,
    lane integer NOT NULL,
    first integer NOT NULL,
    shops integer NOT NULL,
    sent integer,
    open integer NOT NULL,
    activations blob NOT NULL,
    releases blob NOT NULL,
    details blob,
    PRIMARY KEY (revision, number)
);

CREATE TABLE reply_lane (
    lane integer NOT NULL PRIMARY KEY,
    log_id varchar(32) NOT NULL,
    log_lasting boolean NOT NULL,
    holder varchar(36),
    epoch integer NOT NULL,
    position integer NOT NULL,
    leased_until integer
);
