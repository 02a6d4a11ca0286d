-- The whole schema of earning, as the migrations and repeatable files beside this one come to.
-- Written by `make schema`; nothing is made from it, it is for reading. A test holds it to what is true.

CREATE SCHEMA earning;

COMMENT ON SCHEMA earning IS 'Earning''s own tables: the journal, and what is derived from it. Not a contract.';

CREATE FUNCTION earning.prepare_journal(months_ahead integer DEFAULT 2) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

COMMENT ON FUNCTION earning.prepare_journal(months_ahead integer) IS 'Makes the journal''s partitions of this month and the next ones; gives how many it made.';

CREATE TABLE earning.dead_letters (
    topic text NOT NULL COLLATE pg_catalog."C",
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    text text NOT NULL,
    field text NOT NULL,
    key bytea,
    value bytea,
    headers bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    relayed_at timestamp with time zone,
    retried_at timestamp with time zone,
    log integer DEFAULT 0 NOT NULL,
    discarded_at timestamp with time zone,
    discarded_why text,
    CONSTRAINT discarded_with_a_reason CHECK (((discarded_at IS NULL) = (discarded_why IS NULL)))
);

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

COMMENT ON COLUMN earning.dead_letters.log IS 'Which of the partition''s logs, as in earning.fences.';

COMMENT ON COLUMN earning.dead_letters.discarded_at IS 'When an operator decided that nothing comes of it; null: never.';

COMMENT ON COLUMN earning.dead_letters.discarded_why IS 'Why, in the operator''s words; no personal data.';

CREATE TABLE earning.emissions (
    shard integer NOT NULL,
    emitted bigint DEFAULT 0 NOT NULL,
    whole_to bigint DEFAULT 0 NOT NULL,
    looked_to bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='10', autovacuum_vacuum_threshold='1000');

COMMENT ON TABLE earning.emissions IS 'How far each shard is published. Apart from the shards, so that the relay never waits for a decision.';

COMMENT ON COLUMN earning.emissions.shard IS 'Shard.';

COMMENT ON COLUMN earning.emissions.emitted IS 'Every position up to this one is known to be in the log.';

COMMENT ON COLUMN earning.emissions.whole_to IS 'The position up to which the log was whole when a relay last looked.';

COMMENT ON COLUMN earning.emissions.looked_to IS 'The offset at which the log ended then.';

CREATE TABLE earning.fences (
    topic text NOT NULL COLLATE pg_catalog."C",
    partition integer NOT NULL,
    stored bigint NOT NULL,
    applied bigint DEFAULT 0 NOT NULL,
    duplicate bigint DEFAULT 0 NOT NULL,
    rejected bigint DEFAULT 0 NOT NULL,
    dead_letter bigint DEFAULT 0 NOT NULL,
    received_at_last timestamp with time zone,
    bookmark_offset bigint,
    bookmark_timestamp timestamp with time zone,
    bookmark_crc bigint,
    moved_at timestamp with time zone DEFAULT now() NOT NULL,
    log integer DEFAULT 0 NOT NULL,
    begun bigint DEFAULT 0 NOT NULL,
    counted_before bigint DEFAULT 0 NOT NULL,
    changed_at timestamp with time zone,
    change text
)
WITH (fillfactor='10', autovacuum_vacuum_threshold='1000');

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

COMMENT ON COLUMN earning.fences.moved_at IS 'When it moved last, by the database clock: a partition long at its end is as late as now.';

COMMENT ON COLUMN earning.fences.log IS 'How often the partition''s log was found changed: made anew, cut, or past its retention.';

COMMENT ON COLUMN earning.fences.begun IS 'Where reading began, in this log: from here to stored, the records are those counted since.';

COMMENT ON COLUMN earning.fences.counted_before IS 'What the four counts had come to when this log was begun.';

COMMENT ON COLUMN earning.fences.changed_at IS 'When the log was last found changed; null: never.';

COMMENT ON COLUMN earning.fences.change IS 'What was found then.';

CREATE TABLE earning.inbox (
    shard integer NOT NULL,
    id bigint NOT NULL,
    program text NOT NULL COLLATE pg_catalog."C",
    member text NOT NULL COLLATE pg_catalog."C",
    fact bytea NOT NULL,
    put_at timestamp with time zone DEFAULT now() NOT NULL,
    failed text
)
WITH (autovacuum_vacuum_threshold='1000');

COMMENT ON TABLE earning.inbox IS 'Messages from members to members: written by the transaction that decides them, deleted by the one that decides what they mean.';

COMMENT ON COLUMN earning.inbox.shard IS 'Shard of the member it is for.';

COMMENT ON COLUMN earning.inbox.id IS 'Order in which a shard''s messages are decided; nothing depends on it.';

COMMENT ON COLUMN earning.inbox.program IS 'Program.';

COMMENT ON COLUMN earning.inbox.member IS 'The member it is for.';

COMMENT ON COLUMN earning.inbox.fact IS 'The message as a fact, as MessagePack.';

COMMENT ON COLUMN earning.inbox.put_at IS 'When it was written, by the database clock.';

COMMENT ON COLUMN earning.inbox.failed IS 'Why it could not be decided: a fault of ours, left alone until it is set to null; null: it waits.';

ALTER TABLE earning.inbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME earning.inbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE earning.installation (
    single boolean DEFAULT true NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    shards integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state_format integer NOT NULL,
    CONSTRAINT installation_shards_check CHECK (((shards >= 1) AND (shards <= 4096))),
    CONSTRAINT installation_single_check CHECK (single),
    CONSTRAINT installation_state_format_check CHECK ((state_format >= 0))
);

COMMENT ON TABLE earning.installation IS 'One row: the number of shards, fixed for the life of the installation.';

COMMENT ON COLUMN earning.installation.single IS 'Always true: there is one row.';

COMMENT ON COLUMN earning.installation.id IS 'Tells this installation from others.';

COMMENT ON COLUMN earning.installation.shards IS 'Partitions of every input topic and of the points topic; another count is refused.';

COMMENT ON COLUMN earning.installation.created_at IS 'When the installation was made.';

COMMENT ON COLUMN earning.installation.state_format IS 'The format of standings, keys and lots: what reads them knows this number. 0: they are being put anew, or that was cut off.';

CREATE TABLE earning.journal (
    shard integer NOT NULL,
    "position" bigint NOT NULL,
    month date NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    bytes bytea NOT NULL
)
PARTITION BY RANGE (month);
ALTER TABLE ONLY earning.journal ALTER COLUMN bytes SET STORAGE EXTERNAL;

COMMENT ON TABLE earning.journal IS 'The event store: the exact bytes of every point event, and an outbox in the order of positions.';

COMMENT ON COLUMN earning.journal.shard IS 'Shard: the partition of the points topic.';

COMMENT ON COLUMN earning.journal."position" IS 'Dense within the shard, from 1.';

COMMENT ON COLUMN earning.journal.month IS 'First day of the month of the writing transaction, by the database clock (UTC).';

COMMENT ON COLUMN earning.journal.key IS 'Key of the Kafka record: program/member.';

COMMENT ON COLUMN earning.journal.type IS 'Type of the event, also in a Kafka header.';

COMMENT ON COLUMN earning.journal.decided_at IS 'Timestamp of the Kafka record.';

COMMENT ON COLUMN earning.journal.bytes IS 'Value of the Kafka record.';

CREATE TABLE earning.journal_default (
    shard integer CONSTRAINT journal_shard_not_null NOT NULL,
    "position" bigint CONSTRAINT journal_position_not_null NOT NULL,
    month date CONSTRAINT journal_month_not_null NOT NULL,
    key text CONSTRAINT journal_key_not_null NOT NULL COLLATE pg_catalog."C",
    type text CONSTRAINT journal_type_not_null NOT NULL,
    decided_at timestamp with time zone CONSTRAINT journal_decided_at_not_null NOT NULL,
    bytes bytea CONSTRAINT journal_bytes_not_null NOT NULL
)
WITH (toast_tuple_target='8160');
ALTER TABLE ONLY earning.journal_default ALTER COLUMN bytes SET STORAGE EXTERNAL;

COMMENT ON TABLE earning.journal_default IS 'Safety net for a month that was not prepared; normally empty.';

CREATE TABLE earning.keys (
    shard integer NOT NULL,
    program text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    member text NOT NULL COLLATE pg_catalog."C",
    lots integer[] NOT NULL,
    body bytea NOT NULL
)
WITH (fillfactor='90', autovacuum_vacuum_insert_scale_factor='0.5');

COMMENT ON TABLE earning.keys IS 'One row a business key: its owner, what is known of it, the lots it made. Derived from the journal.';

COMMENT ON COLUMN earning.keys.shard IS 'Shard of the owner.';

COMMENT ON COLUMN earning.keys.program IS 'Program.';

COMMENT ON COLUMN earning.keys.source IS 'The shop whose id this is.';

COMMENT ON COLUMN earning.keys.kind IS 'What the id names: an order, an enrolment, ….';

COMMENT ON COLUMN earning.keys.id IS 'The shop''s id.';

COMMENT ON COLUMN earning.keys.member IS 'The owner; facts of others under this key become dead letters.';

COMMENT ON COLUMN earning.keys.lots IS 'Numbers of the lots it made.';

COMMENT ON COLUMN earning.keys.body IS 'The book: content, status, award and what is pinned, as MessagePack.';

CREATE TABLE earning.leases (
    kind text NOT NULL COLLATE pg_catalog."C",
    shard integer NOT NULL,
    owner text NOT NULL,
    until timestamp with time zone NOT NULL
)
WITH (fillfactor='10', autovacuum_vacuum_threshold='1000');

COMMENT ON TABLE earning.leases IS 'Who does a shard''s side work just now. Saves work; nothing is wrong when two do it.';

COMMENT ON COLUMN earning.leases.kind IS 'Which work: emit, dead_letters, sweep, inbox.';

COMMENT ON COLUMN earning.leases.shard IS 'Shard; 0 for work that is not divided.';

COMMENT ON COLUMN earning.leases.owner IS 'The process.';

COMMENT ON COLUMN earning.leases.until IS 'End of the term, by the database clock.';

CREATE TABLE earning.lots (
    shard integer NOT NULL,
    program text NOT NULL COLLATE pg_catalog."C",
    member text NOT NULL COLLATE pg_catalog."C",
    lot integer NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    points bigint NOT NULL,
    remaining bigint NOT NULL,
    earned_at timestamp with time zone NOT NULL,
    available_at timestamp with time zone,
    expires_at timestamp with time zone,
    due timestamp with time zone,
    body bytea NOT NULL,
    CONSTRAINT lots_remaining_check CHECK ((remaining >= 0))
)
WITH (fillfactor='90', autovacuum_vacuum_insert_scale_factor='0.5');

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

COMMENT ON COLUMN earning.lots.due IS 'When time alone changes it next: its release, or its end; null: never.';

COMMENT ON COLUMN earning.lots.body IS 'The lot with all it is, as MessagePack; the other columns are to find it by.';

CREATE TABLE earning.program_registry (
    only_row boolean DEFAULT true NOT NULL,
    serial bigint DEFAULT 0 NOT NULL,
    CONSTRAINT program_registry_only_row_check CHECK (only_row)
);

COMMENT ON TABLE earning.program_registry IS 'One row: its lock puts publications in order, its serial grows with each.';

COMMENT ON COLUMN earning.program_registry.only_row IS 'Always true: there is one row.';

COMMENT ON COLUMN earning.program_registry.serial IS 'Publications so far; a worker that has seen it knows all versions.';

CREATE TABLE earning.program_versions (
    program text NOT NULL,
    version integer NOT NULL,
    document text NOT NULL,
    checksum text NOT NULL,
    published_at timestamp with time zone NOT NULL,
    in_force_from timestamp with time zone NOT NULL,
    relayed_at timestamp with time zone,
    serial bigint NOT NULL,
    CONSTRAINT program_versions_version_check CHECK ((version > 0))
);

COMMENT ON TABLE earning.program_versions IS 'Versions of programs as published. Rows are never changed or deleted, but for relayed_at.';

COMMENT ON COLUMN earning.program_versions.program IS 'Name of the program, as in every fact.';

COMMENT ON COLUMN earning.program_versions.version IS 'Dense per program, from 1.';

COMMENT ON COLUMN earning.program_versions.document IS 'The document in canonical form: JSON, sorted, defaults written out.';

COMMENT ON COLUMN earning.program_versions.checksum IS 'SHA-256 of the document, hex.';

COMMENT ON COLUMN earning.program_versions.published_at IS 'When it was published, by this database''s clock.';

COMMENT ON COLUMN earning.program_versions.in_force_from IS 'Facts that occurred at or after this instant are decided by it, until a later version''s instant.';

COMMENT ON COLUMN earning.program_versions.relayed_at IS 'When it was acknowledged on the programs topic; null: not yet.';

COMMENT ON COLUMN earning.program_versions.serial IS 'The registry''s serial at its publication: the order in which versions are relayed.';

CREATE TABLE earning.shards (
    shard integer NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    chain text DEFAULT ''::text NOT NULL
)
WITH (fillfactor='10', autovacuum_vacuum_threshold='1000');

COMMENT ON TABLE earning.shards IS 'One row a shard; its lock makes the one writer. Few rows a page, so that updates stay in place.';

COMMENT ON COLUMN earning.shards.shard IS 'Number of the shard, from 0: the partition of the points topic.';

COMMENT ON COLUMN earning.shards."position" IS 'Position of the newest journal row; 0 before the first.';

COMMENT ON COLUMN earning.shards.chain IS 'BLAKE2b-128 (hex) of the newest journal row''s bytes; empty before the first.';

CREATE TABLE earning.standings (
    shard integer NOT NULL,
    program text NOT NULL COLLATE pg_catalog."C",
    member text NOT NULL COLLATE pg_catalog."C",
    next_due timestamp with time zone,
    body bytea NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.1');

COMMENT ON TABLE earning.standings IS 'All that a decision may know of a member besides rows. Derived from the journal.';

COMMENT ON COLUMN earning.standings.shard IS 'Shard of the member.';

COMMENT ON COLUMN earning.standings.program IS 'Program.';

COMMENT ON COLUMN earning.standings.member IS 'Member.';

COMMENT ON COLUMN earning.standings.next_due IS 'When the sweeper is to look at this member; null: never. Only a hint: the body says what is due.';

COMMENT ON COLUMN earning.standings.body IS 'The standing, as MessagePack.';

CREATE TABLE earning.sweep_holds (
    program text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL,
    until timestamp with time zone NOT NULL,
    topics text[],
    partitions integer[],
    ends bigint[]
);

COMMENT ON TABLE earning.sweep_holds IS 'Programs whose history is being published: nobody is swept before all of it is decided.';

COMMENT ON COLUMN earning.sweep_holds.program IS 'Program.';

COMMENT ON COLUMN earning.sweep_holds.holder IS 'Which publication.';

COMMENT ON COLUMN earning.sweep_holds.until IS 'End of its term by the database clock: a publisher that died holds nobody for ever. Infinity once all is published.';

COMMENT ON COLUMN earning.sweep_holds.topics IS 'Once all is published, where it ends: topics; null before.';

COMMENT ON COLUMN earning.sweep_holds.partitions IS 'Their partitions.';

COMMENT ON COLUMN earning.sweep_holds.ends IS 'The offsets after the last records: the hold is over when every fence has come so far.';

CREATE TABLE earning.version_sweeps (
    shard integer NOT NULL,
    program text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL
);

COMMENT ON TABLE earning.version_sweeps IS 'The newest version of a program whose taking force every standing of a shard was marked due for.';

COMMENT ON COLUMN earning.version_sweeps.shard IS 'Shard.';

COMMENT ON COLUMN earning.version_sweeps.program IS 'Program.';

COMMENT ON COLUMN earning.version_sweeps.version IS 'Number of the version.';

ALTER TABLE ONLY earning.journal ATTACH PARTITION earning.journal_default DEFAULT;

ALTER TABLE ONLY earning.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (topic, partition, "offset", log);

ALTER TABLE ONLY earning.emissions
    ADD CONSTRAINT emissions_pkey PRIMARY KEY (shard);

ALTER TABLE ONLY earning.fences
    ADD CONSTRAINT fences_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY earning.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (shard, id);

ALTER TABLE ONLY earning.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (single);

ALTER TABLE ONLY earning.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (shard, "position", month);

ALTER TABLE ONLY earning.journal_default
    ADD CONSTRAINT journal_default_pkey PRIMARY KEY (shard, "position", month);

ALTER TABLE ONLY earning.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (program, source, kind, id);

ALTER TABLE ONLY earning.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (kind, shard);

ALTER TABLE ONLY earning.lots
    ADD CONSTRAINT lots_pkey PRIMARY KEY (program, member, lot);

ALTER TABLE ONLY earning.program_registry
    ADD CONSTRAINT program_registry_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY earning.program_versions
    ADD CONSTRAINT program_versions_pkey PRIMARY KEY (program, version);

ALTER TABLE ONLY earning.program_versions
    ADD CONSTRAINT program_versions_serial_key UNIQUE (serial);

ALTER TABLE ONLY earning.shards
    ADD CONSTRAINT shards_pkey PRIMARY KEY (shard);

ALTER TABLE ONLY earning.standings
    ADD CONSTRAINT standings_pkey PRIMARY KEY (program, member);

ALTER TABLE ONLY earning.sweep_holds
    ADD CONSTRAINT sweep_holds_pkey PRIMARY KEY (program, holder);

ALTER TABLE ONLY earning.version_sweeps
    ADD CONSTRAINT version_sweeps_pkey PRIMARY KEY (shard, program);

CREATE INDEX dead_letters_open ON earning.dead_letters USING btree (reason) WHERE ((retried_at IS NULL) AND (discarded_at IS NULL));

CREATE INDEX dead_letters_to_relay ON earning.dead_letters USING btree (recorded_at) WHERE (relayed_at IS NULL);

CREATE INDEX keys_of_member ON earning.keys USING btree (program, member);

CREATE INDEX lots_due ON earning.lots USING btree (program, member, due) WHERE (due IS NOT NULL);

CREATE INDEX lots_left ON earning.lots USING btree (program, member, expires_at, earned_at, lot) WHERE ((remaining > 0) OR (available_at IS NULL));

CREATE INDEX program_versions_not_relayed ON earning.program_versions USING btree (serial) WHERE (relayed_at IS NULL);

CREATE INDEX standings_due ON earning.standings USING btree (shard, next_due) WHERE (next_due IS NOT NULL);

ALTER INDEX earning.journal_pkey ATTACH PARTITION earning.journal_default_pkey;

GRANT USAGE ON SCHEMA earning TO earning;
GRANT USAGE ON SCHEMA earning TO projector;

REVOKE ALL ON FUNCTION earning.prepare_journal(months_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION earning.prepare_journal(months_ahead integer) TO earning;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE earning.dead_letters TO earning;

GRANT SELECT,INSERT,UPDATE ON TABLE earning.emissions TO earning;

GRANT SELECT,INSERT,UPDATE ON TABLE earning.fences TO earning;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE earning.inbox TO earning;

GRANT SELECT,INSERT ON TABLE earning.installation TO earning;
GRANT SELECT ON TABLE earning.installation TO projector;

GRANT UPDATE(state_format) ON TABLE earning.installation TO earning;

GRANT SELECT,INSERT ON TABLE earning.journal TO earning;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE earning.keys TO earning;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE earning.leases TO earning;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE earning.lots TO earning;

GRANT SELECT,UPDATE ON TABLE earning.program_registry TO earning;

GRANT SELECT,INSERT ON TABLE earning.program_versions TO earning;

GRANT UPDATE(relayed_at) ON TABLE earning.program_versions TO earning;

GRANT SELECT,INSERT,UPDATE ON TABLE earning.shards TO earning;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE earning.standings TO earning;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE earning.sweep_holds TO earning;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE earning.version_sweeps TO earning;
