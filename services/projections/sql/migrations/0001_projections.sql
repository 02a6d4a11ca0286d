-- What the read models share: which generation of their tables the views show, and records that earning did not write.
--
-- The tables of a generation and the views over them are the read models' own: see services/projections/models.
SET LOCAL ROLE loyalty_owner;

CREATE TABLE projections.generation (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    current integer NOT NULL CHECK (current > 0),
    partitions integer CHECK (partitions > 0)
);
COMMENT ON TABLE projections.generation IS 'One row: which tables the views show, and how the points topic is split.';
COMMENT ON COLUMN projections.generation.only_one IS 'Always true: there is one row.';
COMMENT ON COLUMN projections.generation.current IS 'Suffix of the tables that the views show.';
COMMENT ON COLUMN projections.generation.partitions IS
    'Partitions of the points topic, as found at the first start; another count is refused from then on.';
INSERT INTO projections.generation (current) VALUES (1);
GRANT SELECT, UPDATE ON projections.generation TO projector;

CREATE TABLE projections.dead_letters (
    topic text NOT NULL,
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
    discarded_at timestamptz,
    discarded_why text,
    PRIMARY KEY (topic, partition, "offset"),
    CONSTRAINT discarded_with_a_reason CHECK ((discarded_at IS NULL) = (discarded_why IS NULL))
);
COMMENT ON TABLE projections.dead_letters IS
    'Records on the points topic that earning did not write. They take no position; relayed to the dead-letter topic.';
COMMENT ON COLUMN projections.dead_letters.topic IS 'Where the record was found.';
COMMENT ON COLUMN projections.dead_letters.partition IS 'Its partition.';
COMMENT ON COLUMN projections.dead_letters."offset" IS 'Its offset.';
COMMENT ON COLUMN projections.dead_letters.reason IS 'Reason code; see docs/reference/reason-codes.md.';
COMMENT ON COLUMN projections.dead_letters.text IS 'What is wrong with it, for people.';
COMMENT ON COLUMN projections.dead_letters.field IS 'Path of the field at fault; empty where no single one is.';
COMMENT ON COLUMN projections.dead_letters.key IS 'The record''s key, as it was.';
COMMENT ON COLUMN projections.dead_letters.value IS 'The record''s value, as it was.';
COMMENT ON COLUMN projections.dead_letters.headers IS 'Its headers: MessagePack list of [name, bytes or nil].';
COMMENT ON COLUMN projections.dead_letters.received_at IS 'The record''s timestamp.';
COMMENT ON COLUMN projections.dead_letters.recorded_at IS 'When it was set aside (database clock).';
COMMENT ON COLUMN projections.dead_letters.relayed_at IS 'When it was published on the dead-letter topic; null: not yet.';
COMMENT ON COLUMN projections.dead_letters.discarded_at IS 'When an operator decided that nothing comes of it; null: never.';
COMMENT ON COLUMN projections.dead_letters.discarded_why IS 'Why, in the operator''s words; no personal data.';
CREATE INDEX dead_letters_unrelayed ON projections.dead_letters (topic, partition, "offset")
    WHERE relayed_at IS NULL;
CREATE INDEX dead_letters_open ON projections.dead_letters (reason) WHERE discarded_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON projections.dead_letters TO projector;

RESET ROLE;
