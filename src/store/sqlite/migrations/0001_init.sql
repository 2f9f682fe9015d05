-- Requests, their event log, and what both need. Numbers of statuses and types: src/store/document/codes.rs.
-- Times are microseconds since 1970, ids are 16 bytes, documents are JSON text.

-- How the event log is divided; written once, and every process must agree with it.
CREATE TABLE topology (
    only_row         INTEGER PRIMARY KEY CHECK (only_row = 1),  -- keeps the table at one row
    shards           INTEGER NOT NULL CHECK (shards > 0),       -- shards of the event log; each is one partition of the topic
    partition_groups INTEGER NOT NULL CHECK (partition_groups > 0) -- relay; group n has the shards whose number modulo this is n
) STRICT;

-- Requests as they stand. The document is the truth; the columns are what lists filter and sort by.
CREATE TABLE request (
    id           BLOB    PRIMARY KEY,                  -- request id, a UUIDv7 made by the service
    version      INTEGER NOT NULL CHECK (version > 0), -- number of changes, from 1; equals the number of its events
    status       INTEGER NOT NULL,                     -- status number
    type         INTEGER NOT NULL,                     -- type number
    target       BLOB    NOT NULL,                     -- user for whom the request is
    originator   BLOB    NOT NULL,                     -- user who created it
    template     BLOB    NOT NULL,                     -- profile template
    submitted_at INTEGER NOT NULL,                     -- when it was created
    document     TEXT    NOT NULL                      -- the whole request, as src/store/document/request.rs writes it
) STRICT, WITHOUT ROWID;

CREATE INDEX request_by_submitted  ON request (submitted_at, id);
CREATE INDEX request_by_status     ON request (status, submitted_at, id);
CREATE INDEX request_by_target     ON request (target, submitted_at, id);
CREATE INDEX request_by_originator ON request (originator, submitted_at, id);

-- The next free position of each shard.
CREATE TABLE event_head (
    shard INTEGER PRIMARY KEY,                         -- shard
    next  INTEGER NOT NULL DEFAULT 1 CHECK (next > 0)  -- position that the next event gets
) STRICT;

-- Every event, insert-only.
CREATE TABLE event_log (
    shard       INTEGER NOT NULL,                      -- shard, the partition of the topic
    pos         INTEGER NOT NULL,                      -- position in the shard, dense from 1
    request_id  BLOB    NOT NULL,                      -- the request that changed
    version     INTEGER NOT NULL,                      -- its version after the change
    type        INTEGER NOT NULL,                      -- event type number
    at          INTEGER NOT NULL,                      -- when the change was made
    traceparent TEXT,                                  -- W3C trace context of the call that made the change
    payload     BLOB    NOT NULL,                      -- cmgate.v1.RequestEvent without shard and position
    PRIMARY KEY (shard, pos)
) STRICT, WITHOUT ROWID;

-- How far each shard is known to be published; the topic itself is the cursor.
CREATE TABLE relay_checkpoint (
    shard           INTEGER PRIMARY KEY,                        -- shard
    pos             INTEGER NOT NULL DEFAULT 0 CHECK (pos >= 0), -- last position known to be on the topic
    exact           INTEGER NOT NULL DEFAULT 0,                 -- whether nothing after it was published
    may_start_topic INTEGER NOT NULL DEFAULT 0,                 -- whether an operator lets the relay go on from here
    ignored_to      INTEGER NOT NULL DEFAULT -1,                -- last offset up to which records of somebody else may stay
    owner           BLOB    NOT NULL DEFAULT (zeroblob(16))     -- the relay session that may write this row
) STRICT;

-- The topic to which the log is published; the relay writes no other until an operator says so.
CREATE TABLE relay_topic (
    only_row INTEGER PRIMARY KEY DEFAULT 1 CHECK (only_row = 1), -- keeps the table at one row
    topic    TEXT NOT NULL,                             -- name of the topic
    cluster  TEXT,                                      -- id of the Kafka cluster, if it is known
    topic_id BLOB                                       -- id that the cluster gave the topic, if it is known
) STRICT;

-- Keys under which callers had something done once, with what they were answered.
CREATE TABLE idempotency_key (
    caller      BLOB    NOT NULL,                      -- whose key it is
    key         TEXT    NOT NULL,                      -- the key as the caller chose it
    fingerprint BLOB    NOT NULL,                      -- SHA-256 of what was asked
    reply       TEXT    NOT NULL,                      -- the request as it was answered
    smartcard   TEXT,                                  -- the smart card as it was answered, if the call named one
    used_at     INTEGER NOT NULL,                      -- when; keys are dropped after their time
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_key_by_time ON idempotency_key (used_at);

-- Every version of every profile template that was ever in force.
CREATE TABLE profile_template (
    id         BLOB    NOT NULL,                       -- template id
    version    INTEGER NOT NULL CHECK (version > 0),   -- version, from 1
    document   TEXT    NOT NULL,                       -- the template, as src/store/document/template.rs writes it
    created_at INTEGER NOT NULL,                       -- when this version was first loaded
    PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;

-- Profiles and smart cards that requests can be about.
CREATE TABLE credential (
    id         BLOB    PRIMARY KEY,                    -- id of a profile or of a smart card; a pair of both has two rows
    kind       INTEGER NOT NULL,                       -- number of its variety: profile or smart card
    owner      BLOB    NOT NULL,                       -- user who holds it
    status   INTEGER NOT NULL,                       -- number of where it stands
    serial_number    TEXT,                                   -- the id on the card itself, if that is known
    smartcard  BLOB,                                   -- the smart card that it is on, if it is a profile on one
    retired_at INTEGER,                                -- when it was retired, if it is
    document   TEXT    NOT NULL                        -- all that is known of it, as src/store/document/credential.rs writes it
) STRICT, WITHOUT ROWID;

-- A card serves once at a time; 6 is the number of retired ones, which may come back as new ones.
CREATE UNIQUE INDEX credential_serial_number_in_use ON credential (serial_number) WHERE status <> 6;
-- A card holds one valid profile at most, one that is neither disabled (4) nor retired (6).
CREATE UNIQUE INDEX credential_valid_on_card ON credential (smartcard) WHERE status NOT IN (4, 6);
CREATE INDEX credential_by_serial_number  ON credential (serial_number, id);
CREATE INDEX credential_by_owner ON credential (owner, id);
