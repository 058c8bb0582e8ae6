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
    revision integer NOT NULL PRIMARY KEY,
    id text NOT NULL,
    nonce integer NOT NULL,
    kind text NOT NULL,
    limited_to text NOT NULL,
    reason text NOT NULL,
    shops integer NOT NULL,
    created_at integer NOT NULL,
    timeout_ms integer NOT NULL,
    until integer,
    replaces_revision integer,
    replaces_id text,
    replaces_deadline integer,
    replaced_by integer,
    reply_lane integer,
    attempt integer NOT NULL,
    deadline integer NOT NULL,
    state text NOT NULL,
    open integer NOT NULL,
    unreleased integer NOT NULL,
    ended_at integer
) STRICT;

-- Those that may still change are few, and looked for many times a second.
CREATE INDEX campaign_unfinished ON campaign (revision) WHERE state <> 'ended';

CREATE TABLE campaign_list (
    revision integer NOT NULL,
    number integer NOT NULL,
    ids text NOT NULL,
    PRIMARY KEY (revision, number)
) STRICT;

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
) STRICT;

CREATE TABLE campaign_deleted (
    revision integer NOT NULL PRIMARY KEY
) STRICT;

CREATE TABLE reply_lane (
    lane integer NOT NULL PRIMARY KEY,
    log_id text NOT NULL,
    log_lasting integer NOT NULL,
    holder text,
    epoch integer NOT NULL,
    position integer NOT NULL,
    leased_until integer
) STRICT;
