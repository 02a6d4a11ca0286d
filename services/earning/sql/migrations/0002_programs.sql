-- The registry of programs: every version ever published, and a serial that says when to look again.
SET LOCAL ROLE loyalty_owner;

CREATE TABLE earning.program_registry (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    serial bigint NOT NULL DEFAULT 0
);
INSERT INTO earning.program_registry DEFAULT VALUES;
COMMENT ON TABLE earning.program_registry IS 'One row: its lock puts publications in order, its serial grows with each.';
COMMENT ON COLUMN earning.program_registry.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN earning.program_registry.serial IS 'Publications so far; a worker that has seen it knows all versions.';

CREATE TABLE earning.program_versions (
    program text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    document text NOT NULL,
    checksum text NOT NULL,
    published_at timestamptz NOT NULL,
    in_force_from timestamptz NOT NULL,
    relayed_at timestamptz,
    serial bigint NOT NULL UNIQUE,
    PRIMARY KEY (program, version)
);
CREATE INDEX program_versions_not_relayed ON earning.program_versions (serial) WHERE relayed_at IS NULL;
COMMENT ON TABLE earning.program_versions IS 'Versions of programs as published. Rows are never changed or deleted, but for relayed_at.';
COMMENT ON COLUMN earning.program_versions.program IS 'Name of the program, as in every fact.';
COMMENT ON COLUMN earning.program_versions.version IS 'Dense per program, from 1.';
COMMENT ON COLUMN earning.program_versions.document IS 'The document in canonical form: JSON, sorted, defaults written out.';
COMMENT ON COLUMN earning.program_versions.checksum IS 'SHA-256 of the document, hex.';
COMMENT ON COLUMN earning.program_versions.published_at IS 'When it was published, by this database''s clock.';
COMMENT ON COLUMN earning.program_versions.in_force_from IS 'Facts that occurred at or after this instant are decided by it, until a later version''s instant.';
COMMENT ON COLUMN earning.program_versions.relayed_at IS 'When it was acknowledged on the programs topic; null: not yet.';
COMMENT ON COLUMN earning.program_versions.serial IS 'The registry''s serial at its publication: the order in which versions are relayed.';

GRANT SELECT, UPDATE ON earning.program_registry TO earning;
GRANT SELECT, INSERT ON earning.program_versions TO earning;
GRANT UPDATE (relayed_at) ON earning.program_versions TO earning;

RESET ROLE;
