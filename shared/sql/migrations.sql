-- What of the schema has been applied, by whom it belongs to. Files with `repeats` are applied again when they change.

-- name: lock
SELECT pg_advisory_lock(7411000);

-- name: create_applied
CREATE SCHEMA IF NOT EXISTS migrations;
CREATE TABLE IF NOT EXISTS migrations.applied (
    owner text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    repeats boolean NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, name)
);
GRANT USAGE ON SCHEMA migrations TO PUBLIC;
GRANT SELECT ON migrations.applied TO PUBLIC;

-- name: applied
SELECT owner, name, checksum, repeats FROM migrations.applied;

-- name: record
INSERT INTO migrations.applied (owner, name, checksum, repeats)
VALUES ($1, $2, $3, $4)
ON CONFLICT (owner, name) DO UPDATE SET checksum = excluded.checksum, applied_at = excluded.applied_at;
