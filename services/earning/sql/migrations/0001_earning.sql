-- The journal, what is derived from it, and how far each input and each shard has come.
SET LOCAL ROLE loyalty_owner;

CREATE TABLE earning.installation (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    shards integer NOT NULL CHECK (shards BETWEEN 1 AND 4096),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE earning.installation IS 'One row: the number of shards, fixed for the life of the installation.';
COMMENT ON COLUMN earning.installation.single IS 'Always true: there is one row.';
COMMENT ON COLUMN earning.installation.id IS 'Tells this installation from others.';
COMMENT ON COLUMN earning.installation.shards IS 'Partitions of every input topic and of the points topic; another count is refused.';
COMMENT ON COLUMN earning.installation.created_at IS 'When the installation was made.';

CREATE TABLE earning.shards (
    shard integer PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    chain text NOT NULL DEFAULT ''
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE earning.shards IS 'One row a shard; its lock makes the one writer. Few rows a page, so that updates stay in place.';
COMMENT ON COLUMN earning.shards.shard IS 'Number of the shard, from 0: the partition of the points topic.';
COMMENT ON COLUMN earning.shards.position IS 'Position of the newest journal row; 0 before the first.';
COMMENT ON COLUMN earning.shards.chain IS 'BLAKE2b-128 (hex) of the newest journal row''s bytes; empty before the first.';

CREATE TABLE earning.fences (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    stored bigint NOT NULL,
    applied bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    dead_letter bigint NOT NULL DEFAULT 0,
    received_at_last timestamptz,
    bookmark_offset bigint,
    bookmark_timestamp timestamptz,
    bookmark_crc bigint,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE earning.fences IS 'How far each input partition is decided. The truth about positions; the consumer group only has hints.';
COMMENT ON COLUMN earning.fences.topic IS 'Input topic.';
COMMENT ON COLUMN earning.fences.partition IS 'Partition of the topic.';
COMMENT ON COLUMN earning.fences.stored IS 'Every record below this offset is decided, none from it on.';
COMMENT ON COLUMN earning.fences.applied IS 'Inputs that changed something.';
COMMENT ON COLUMN earning.fences.duplicate IS 'Inputs that said nothing new.';
COMMENT ON COLUMN earning.fences.rejected IS 'Inputs refused by a point event with its reason.';
COMMENT ON COLUMN earning.fences.dead_letter IS 'Inputs that could not be decoded or decided. The four counts add up to the input.';
COMMENT ON COLUMN earning.fences.received_at_last IS 'Timestamp of the last record decided: this partition''s part of the watermark.';
COMMENT ON COLUMN earning.fences.bookmark_offset IS 'Offset of the last record covered, to notice a log that changed.';
COMMENT ON COLUMN earning.fences.bookmark_timestamp IS 'Timestamp of that record.';
COMMENT ON COLUMN earning.fences.bookmark_crc IS 'CRC of that record.';

-- No index on next_due: it would make every update of a standing write an index entry. The sweeper brings its own.
CREATE TABLE earning.standings (
    shard integer NOT NULL,
    program text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    next_due timestamptz,
    body bytea NOT NULL,
    PRIMARY KEY (program, member)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1);
COMMENT ON TABLE earning.standings IS 'All that a decision may know of a member besides rows. Derived from the journal.';
COMMENT ON COLUMN earning.standings.shard IS 'Shard of the member.';
COMMENT ON COLUMN earning.standings.program IS 'Program.';
COMMENT ON COLUMN earning.standings.member IS 'Member.';
COMMENT ON COLUMN earning.standings.next_due IS 'When the next thing falls due by itself; null: nothing does.';
COMMENT ON COLUMN earning.standings.body IS 'The standing, as MessagePack.';

-- A key belongs to one member of the program, whatever their shard: hence its uniqueness has no shard in it.
CREATE TABLE earning.keys (
    shard integer NOT NULL,
    program text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    lots integer[] NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (program, source, kind, id)
) WITH (fillfactor = 90, autovacuum_vacuum_insert_scale_factor = 0.5);
COMMENT ON TABLE earning.keys IS 'One row a business key: its owner, what is known of it, the lots it made. Derived from the journal.';
COMMENT ON COLUMN earning.keys.shard IS 'Shard of the owner.';
COMMENT ON COLUMN earning.keys.program IS 'Program.';
COMMENT ON COLUMN earning.keys.source IS 'The shop whose id this is.';
COMMENT ON COLUMN earning.keys.kind IS 'What the id names: an order, an enrolment, ….';
COMMENT ON COLUMN earning.keys.id IS 'The shop''s id.';
COMMENT ON COLUMN earning.keys.member IS 'The owner; facts of others under this key become dead letters.';
COMMENT ON COLUMN earning.keys.lots IS 'Numbers of the lots it made.';
COMMENT ON COLUMN earning.keys.body IS 'The book: content, status, award and what is pinned, as MessagePack.';

CREATE TABLE earning.lots (
    shard integer NOT NULL,
    program text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    lot integer NOT NULL,
    source text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    points bigint NOT NULL,
    remaining bigint NOT NULL CHECK (remaining >= 0),
    earned_at timestamptz NOT NULL,
    available_at timestamptz,
    expires_at timestamptz,
    PRIMARY KEY (program, member, lot)
) WITH (fillfactor = 90, autovacuum_vacuum_insert_scale_factor = 0.5);
-- A member with 10,000 spent lots costs as much as one with 3: only what is left to spend is in here, in spending order.
CREATE INDEX lots_spendable ON earning.lots (program, member, expires_at, earned_at, lot)
    WHERE remaining > 0 AND available_at IS NOT NULL;
COMMENT ON TABLE earning.lots IS 'Points of one award each: what is left of them, and when they are spendable. Derived from the journal.';
COMMENT ON COLUMN earning.lots.shard IS 'Shard of the member.';
COMMENT ON COLUMN earning.lots.program IS 'Program.';
COMMENT ON COLUMN earning.lots.member IS 'Member.';
COMMENT ON COLUMN earning.lots.lot IS 'Number of the lot, dense per member, from 1.';
COMMENT ON COLUMN earning.lots.source IS 'Business key of the award: source.';
COMMENT ON COLUMN earning.lots.kind IS 'Business key of the award: kind.';
COMMENT ON COLUMN earning.lots.id IS 'Business key of the award: id.';
COMMENT ON COLUMN earning.lots.points IS 'Points at the beginning.';
COMMENT ON COLUMN earning.lots.remaining IS 'Points left.';
COMMENT ON COLUMN earning.lots.earned_at IS 'When the fact happened that made the award.';
COMMENT ON COLUMN earning.lots.available_at IS 'From when on they are spendable; null: still pending.';
COMMENT ON COLUMN earning.lots.expires_at IS 'First instant at which they are not; null: never.';

CREATE TABLE earning.journal (
    shard integer NOT NULL,
    position bigint NOT NULL,
    month date NOT NULL,
    key text COLLATE "C" NOT NULL,
    type text NOT NULL,
    decided_at timestamptz NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (shard, position, month)
) PARTITION BY RANGE (month);
-- Rows are written once and read a few times: events of the usual size stay in the row, whole and uncompressed.
ALTER TABLE earning.journal ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE earning.journal_default PARTITION OF earning.journal DEFAULT WITH (toast_tuple_target = 8160);
COMMENT ON TABLE earning.journal IS 'The event store: the exact bytes of every point event, and an outbox in the order of positions.';
COMMENT ON COLUMN earning.journal.shard IS 'Shard: the partition of the points topic.';
COMMENT ON COLUMN earning.journal.position IS 'Dense within the shard, from 1.';
COMMENT ON COLUMN earning.journal.month IS 'First day of the month of the writing transaction, by the database clock (UTC).';
COMMENT ON COLUMN earning.journal.key IS 'Key of the Kafka record: program/member.';
COMMENT ON COLUMN earning.journal.type IS 'Type of the event, also in a Kafka header.';
COMMENT ON COLUMN earning.journal.decided_at IS 'Timestamp of the Kafka record.';
COMMENT ON COLUMN earning.journal.bytes IS 'Value of the Kafka record.';
COMMENT ON TABLE earning.journal_default IS 'Safety net for a month that was not prepared; normally empty.';

CREATE TABLE earning.emissions (
    shard integer PRIMARY KEY,
    emitted bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE earning.emissions IS 'How far each shard is published. Apart from the shards, so that the relay never waits for a decision.';
COMMENT ON COLUMN earning.emissions.shard IS 'Shard.';
COMMENT ON COLUMN earning.emissions.emitted IS 'Every position up to this one is known to be in the log.';

CREATE TABLE earning.leases (
    kind text COLLATE "C" NOT NULL,
    shard integer NOT NULL,
    owner text NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (kind, shard)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE earning.leases IS 'Who does a shard''s side work just now. Saves work; nothing is wrong when two do it.';
COMMENT ON COLUMN earning.leases.kind IS 'Which work: emit, dead_letters.';
COMMENT ON COLUMN earning.leases.shard IS 'Shard; 0 for work that is not divided.';
COMMENT ON COLUMN earning.leases.owner IS 'The process.';
COMMENT ON COLUMN earning.leases.until IS 'End of the term, by the database clock.';

CREATE TABLE earning.dead_letters (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    text text NOT NULL,
    field text NOT NULL,
    key bytea,
    value bytea,
    headers bytea NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    relayed_at timestamptz,
    retried_at timestamptz,
    PRIMARY KEY (topic, partition, "offset")
);
CREATE INDEX dead_letters_to_relay ON earning.dead_letters (recorded_at) WHERE relayed_at IS NULL;
COMMENT ON TABLE earning.dead_letters IS 'Inputs that could not be decoded or decided, as they came. May hold personal data: keep it short.';
COMMENT ON COLUMN earning.dead_letters.topic IS 'Where the record lies: topic.';
COMMENT ON COLUMN earning.dead_letters.partition IS 'Where the record lies: partition.';
COMMENT ON COLUMN earning.dead_letters."offset" IS 'Where the record lies: offset.';
COMMENT ON COLUMN earning.dead_letters.reason IS 'Reason code; see the reference of reason codes.';
COMMENT ON COLUMN earning.dead_letters.text IS 'What is wrong, for people.';
COMMENT ON COLUMN earning.dead_letters.field IS 'Path of the field at fault; empty where no single one is.';
COMMENT ON COLUMN earning.dead_letters.key IS 'Original key.';
COMMENT ON COLUMN earning.dead_letters.value IS 'Original value.';
COMMENT ON COLUMN earning.dead_letters.headers IS 'Original headers: MessagePack list of [name, bytes or nil].';
COMMENT ON COLUMN earning.dead_letters.received_at IS 'Timestamp of the record.';
COMMENT ON COLUMN earning.dead_letters.recorded_at IS 'When it was put here, by the database clock.';
COMMENT ON COLUMN earning.dead_letters.relayed_at IS 'When it was published on the dead-letter topic; null: not yet.';
COMMENT ON COLUMN earning.dead_letters.retried_at IS 'When an operator published it again; null: never.';

-- Months are made ahead of time by whoever starts; making tables takes the owner's rights, which services don't have.
CREATE FUNCTION earning.prepare_journal(months_ahead integer DEFAULT 2) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first date;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(7411002);  -- one at a time
    FOR ahead IN 0 .. least(months_ahead, 24) LOOP
        first := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead))::date;
        CONTINUE WHEN to_regclass('earning.journal_' || to_char(first, 'YYYY_MM')) IS NOT NULL;
        -- Rows that fell into the safety net stay there, and so does the rest of their month.
        CONTINUE WHEN EXISTS (SELECT FROM earning.journal_default d WHERE d.month = first);
        EXECUTE format(
            'CREATE TABLE earning.%1$I PARTITION OF earning.journal FOR VALUES FROM (%2$L) TO (%3$L) '
            'WITH (toast_tuple_target = 8160)',
            'journal_' || to_char(first, 'YYYY_MM'), first, (first + interval '1 month')::date
        );
        EXECUTE format(
            'COMMENT ON TABLE earning.%1$I IS %2$L',
            'journal_' || to_char(first, 'YYYY_MM'), 'Journal rows written in ' || to_char(first, 'YYYY-MM') || '.'
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION earning.prepare_journal(integer) IS 'Makes the journal''s partitions of this month and the next ones; gives how many it made.';
REVOKE ALL ON FUNCTION earning.prepare_journal(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION earning.prepare_journal(integer) TO earning;

GRANT SELECT, INSERT ON earning.installation TO earning;
GRANT SELECT, INSERT, UPDATE ON earning.shards, earning.fences, earning.emissions TO earning;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    earning.standings, earning.keys, earning.lots, earning.leases, earning.dead_letters TO earning;
GRANT SELECT, INSERT ON earning.journal TO earning;

-- The read side refuses another number of partitions than the installation has.
GRANT USAGE ON SCHEMA earning TO projector;
GRANT SELECT ON earning.installation TO projector;

RESET ROLE;
