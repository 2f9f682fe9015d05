-- Requests, their event log, and what both need. Numbers of statuses and types: src/store/document/codes.rs.

CREATE TABLE topology (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shards           integer NOT NULL CHECK (shards > 0),
    partition_groups integer NOT NULL CHECK (partition_groups > 0)
);
COMMENT ON TABLE  topology                  IS 'How the event log is divided; written once, and every process must agree with it.';
COMMENT ON COLUMN topology.only_row         IS 'Keeps the table at one row.';
COMMENT ON COLUMN topology.shards           IS 'Shards of the event log; each is one partition of the topic.';
COMMENT ON COLUMN topology.partition_groups IS 'Partition groups of the relay; group n has the shards whose number modulo this is n.';

-- The document is the truth; the columns are what lists filter and sort by. Room is left on each page, since most rows
-- change a few times.
CREATE TABLE request (
    id           uuid        PRIMARY KEY,
    version      integer     NOT NULL CHECK (version > 0),
    status       smallint    NOT NULL,
    type         smallint    NOT NULL,
    target       uuid        NOT NULL,
    originator   uuid        NOT NULL,
    template     uuid        NOT NULL,
    submitted_at timestamptz NOT NULL,
    document     json        NOT NULL
) WITH (fillfactor = 85);
COMMENT ON TABLE  request              IS 'Requests as they stand.';
COMMENT ON COLUMN request.id           IS 'Request id, a UUIDv7 made by the service.';
COMMENT ON COLUMN request.version      IS 'Number of changes, from 1; equals the number of events of the request.';
COMMENT ON COLUMN request.status       IS 'Status number.';
COMMENT ON COLUMN request.type         IS 'Type number.';
COMMENT ON COLUMN request.target       IS 'User for whom the request is.';
COMMENT ON COLUMN request.originator   IS 'User who created it.';
COMMENT ON COLUMN request.template     IS 'Profile template.';
COMMENT ON COLUMN request.submitted_at IS 'When it was created.';
COMMENT ON COLUMN request.document     IS 'The whole request, as src/store/document/request.rs writes it.';

CREATE INDEX request_by_submitted  ON request (submitted_at, id);
CREATE INDEX request_by_status     ON request (status, submitted_at, id);
CREATE INDEX request_by_target     ON request (target, submitted_at, id);
CREATE INDEX request_by_originator ON request (originator, submitted_at, id);

-- One row per shard. It is locked until the commit of the transaction that takes positions from it, so that positions are
-- dense and become visible in order; a rollback gives them back. A page per few rows, since every batch updates it.
CREATE TABLE event_head (
    shard smallint PRIMARY KEY,
    next  bigint   NOT NULL DEFAULT 1 CHECK (next > 0)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0);
COMMENT ON TABLE  event_head       IS 'The next free position of each shard.';
COMMENT ON COLUMN event_head.shard IS 'Shard.';
COMMENT ON COLUMN event_head.next  IS 'Position that the next event gets.';

-- Each statement of the loop sees the newest version of its row. One statement over all heads would see what was there when it
-- began, and depending on its plan it then misses a head that another process has moved meanwhile.
CREATE FUNCTION take_positions(shards smallint[], events bigint[]) RETURNS TABLE (shard smallint, first bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
BEGIN
    FOR i IN 1 .. cardinality(shards) LOOP
        UPDATE event_head SET next = next + events[i] WHERE shard = shards[i] RETURNING next INTO STRICT taken;
        shard := shards[i];
        first := taken - events[i];
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION take_positions IS
    'Takes so many positions of each shard, given in ascending order, and locks their heads to the end of the transaction.';

CREATE TABLE event_log (
    shard       smallint    NOT NULL,
    pos         bigint      NOT NULL,
    request_id  uuid        NOT NULL,
    version     integer     NOT NULL,
    type        smallint    NOT NULL,
    at          timestamptz NOT NULL,
    day         date        NOT NULL,
    traceparent text,
    payload     bytea       NOT NULL,
    PRIMARY KEY (shard, pos, day)
) PARTITION BY RANGE (day);
COMMENT ON TABLE  event_log             IS 'Every event, insert-only; partitioned so that old days can be dropped whole.';
COMMENT ON COLUMN event_log.shard       IS 'Shard, the partition of the topic.';
COMMENT ON COLUMN event_log.pos         IS 'Position in the shard, dense from 1.';
COMMENT ON COLUMN event_log.request_id  IS 'The request that changed.';
COMMENT ON COLUMN event_log.version     IS 'Its version after the change.';
COMMENT ON COLUMN event_log.type        IS 'Event type number.';
COMMENT ON COLUMN event_log.at          IS 'When the change was made.';
COMMENT ON COLUMN event_log.day         IS 'Day of the change in UTC; the partition key.';
COMMENT ON COLUMN event_log.traceparent IS 'W3C trace context of the call that made the change.';
COMMENT ON COLUMN event_log.payload     IS 'cmgate.v1.RequestEvent without shard and position, which the relay appends.';

-- Takes what has no partition of its own, so that a clock gone astray cannot make a write fail.
CREATE TABLE event_log_other PARTITION OF event_log DEFAULT;
COMMENT ON TABLE event_log_other IS 'Events of days for which no partition was made.';

CREATE TABLE relay_checkpoint (
    shard           smallint PRIMARY KEY,
    pos             bigint   NOT NULL DEFAULT 0 CHECK (pos >= 0),
    exact           boolean  NOT NULL DEFAULT false,
    may_start_topic boolean  NOT NULL DEFAULT false,
    ignored_to      bigint   NOT NULL DEFAULT -1,
    owner           uuid     NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
) WITH (fillfactor = 50);
COMMENT ON TABLE  relay_checkpoint                 IS 'How far each shard is known to be published; the topic itself is the cursor.';
COMMENT ON COLUMN relay_checkpoint.shard           IS 'Shard.';
COMMENT ON COLUMN relay_checkpoint.pos             IS 'Last position known to be on the topic.';
COMMENT ON COLUMN relay_checkpoint.exact           IS 'Whether nothing after it was published: written on a clean stop, or by an operator.';
COMMENT ON COLUMN relay_checkpoint.may_start_topic IS 'Whether an operator lets the relay go on from here although the topic is empty.';
COMMENT ON COLUMN relay_checkpoint.ignored_to      IS 'Last offset up to which an operator lets records of somebody else stay.';
COMMENT ON COLUMN relay_checkpoint.owner           IS 'The relay session that may write this row; a later session takes it over.';

CREATE TABLE relay_topic (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    topic    text NOT NULL,
    cluster  text,
    topic_id uuid
);
COMMENT ON TABLE  relay_topic          IS 'The topic to which the log is published; the relay writes no other until an operator says so.';
COMMENT ON COLUMN relay_topic.only_row IS 'Keeps the table at one row.';
COMMENT ON COLUMN relay_topic.topic    IS 'Name of the topic.';
COMMENT ON COLUMN relay_topic.cluster  IS 'Id of the Kafka cluster, if it is known.';
COMMENT ON COLUMN relay_topic.topic_id IS 'Id that the cluster gave the topic when it was created, if it is known.';

CREATE TABLE idempotency_key (
    caller      uuid        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    reply       json        NOT NULL,
    smartcard   json,
    used_at     timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
);
COMMENT ON TABLE  idempotency_key             IS 'Keys under which callers had something done once, with what they were answered.';
COMMENT ON COLUMN idempotency_key.caller      IS 'Whose key it is.';
COMMENT ON COLUMN idempotency_key.key         IS 'The key as the caller chose it.';
COMMENT ON COLUMN idempotency_key.fingerprint IS 'SHA-256 of what was asked.';
COMMENT ON COLUMN idempotency_key.reply       IS 'The request as it was answered.';
COMMENT ON COLUMN idempotency_key.smartcard   IS 'The smart card as it was answered, if the call named one.';
COMMENT ON COLUMN idempotency_key.used_at     IS 'When; keys are dropped after their time.';
CREATE INDEX idempotency_key_by_time ON idempotency_key (used_at);

CREATE TABLE profile_template (
    id         uuid        NOT NULL,
    version    integer     NOT NULL CHECK (version > 0),
    document   jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, version)
);
COMMENT ON TABLE  profile_template            IS 'Every version of every profile template that was ever in force.';
COMMENT ON COLUMN profile_template.id         IS 'Template id.';
COMMENT ON COLUMN profile_template.version    IS 'Version, from 1.';
COMMENT ON COLUMN profile_template.document   IS 'The template, as src/store/document/template.rs writes it.';
COMMENT ON COLUMN profile_template.created_at IS 'When this version was first loaded.';

CREATE TABLE credential (
    id         uuid     PRIMARY KEY,
    kind       smallint NOT NULL,
    owner      uuid     NOT NULL,
    status   smallint NOT NULL,
    serial_number    text,
    smartcard  uuid,
    retired_at timestamptz,
    document   jsonb    NOT NULL
);
COMMENT ON TABLE  credential            IS 'Profiles and smart cards that requests can be about.';
COMMENT ON COLUMN credential.id         IS 'Id of a profile or of a smart card; a pair of both has two rows.';
COMMENT ON COLUMN credential.kind       IS 'Number of its variety: profile or smart card.';
COMMENT ON COLUMN credential.owner      IS 'User who holds it.';
COMMENT ON COLUMN credential.status   IS 'Number of where it stands.';
COMMENT ON COLUMN credential.serial_number    IS 'The id on the card itself, if it is a smart card of which that is known.';
COMMENT ON COLUMN credential.smartcard  IS 'The smart card that it is on, if it is a profile on one.';
COMMENT ON COLUMN credential.retired_at IS 'When it was retired, if it is.';
COMMENT ON COLUMN credential.document   IS 'All that is known of it, as src/store/document/credential.rs writes it.';

-- A card serves once at a time; 6 is the number of retired ones, which may come back as new ones.
CREATE UNIQUE INDEX credential_serial_number_in_use ON credential (serial_number) WHERE status <> 6;
-- A card holds one valid profile at most, one that is neither disabled (4) nor retired (6).
CREATE UNIQUE INDEX credential_valid_on_card ON credential (smartcard) WHERE status NOT IN (4, 6);
CREATE INDEX credential_by_serial_number  ON credential (serial_number, id);
CREATE INDEX credential_by_owner ON credential (owner, id);
