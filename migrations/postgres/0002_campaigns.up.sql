-- What starting and following campaigns needs.
--
-- campaign: one row per campaign.
-- campaign_list: the ids of its frozen list of shops, a few thousand in a row, one id in a line.
--   It is a table of its own because it never changes: recording outcomes does not write it.
-- campaign_chunk: the outcomes of the same shops, one byte per shop and phase, with details only
--   for what was not plain success. There is never a row per shop.
-- campaign_deleted: the campaigns that are deleted, and whose lists and outcomes are being cleared
--   away. It is what tells them from campaigns whose row was lost.
-- reply_lane: who reads which lane of replies, and how far.

CREATE TABLE campaign (
    revision bigint NOT NULL PRIMARY KEY,
    id varchar(36) NOT NULL,
    nonce bigint NOT NULL,
    kind varchar(31) NOT NULL,
    limited_to varchar(16) NOT NULL,
    reason text NOT NULL,
    shops bigint NOT NULL,
    created_at bigint NOT NULL,
    timeout_ms bigint NOT NULL,
    until bigint,
    replaces_revision bigint,
    replaces_id varchar(36),
    replaces_deadline bigint,
    replaced_by bigint,
    reply_lane integer,
    attempt integer NOT NULL,
    deadline bigint NOT NULL,
    state varchar(8) NOT NULL,
    open bigint NOT NULL,
    unreleased bigint NOT NULL,
    ended_at bigint
);

-- Those that may still change are few, and looked for many times a second.
CREATE INDEX campaign_unfinished ON campaign (revision) WHERE state <> 'ended';

CREATE TABLE campaign_list (
    revision bigint NOT NULL,
    number bigint NOT NULL,
    ids text NOT NULL,
    PRIMARY KEY (revision, number)
);

CREATE TABLE campaign_chunk (
    revision bigint NOT NULL,
    number bigint NOT NULL,
    lane integer NOT NULL,
    first bigint NOT NULL,
    shops bigint NOT NULL,
    sent integer,
    open bigint NOT NULL,
    activations bytea NOT NULL,
    releases bytea NOT NULL,
    details bytea,
    PRIMARY KEY (revision, number)
);

CREATE TABLE campaign_deleted (
    revision bigint NOT NULL PRIMARY KEY
);

CREATE TABLE reply_lane (
    lane integer NOT NULL PRIMARY KEY,
    log_id varchar(32) NOT NULL,
    log_lasting boolean NOT NULL,
    holder varchar(36),
    epoch bigint NOT NULL,
    position bigint NOT NULL,
    leased_until bigint
);
