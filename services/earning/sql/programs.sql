-- name: serial
SELECT serial FROM earning.program_registry;

-- name: lock
-- Puts publications in order.
SELECT serial FROM earning.program_registry FOR UPDATE;

-- name: now
-- A statement of its own after the lock: the clock as it is once we have waited.
SELECT clock_timestamp();

-- name: move_serial
UPDATE earning.program_registry SET serial = $1;

-- name: versions
SELECT program, version, document, checksum, published_at, in_force_from, relayed_at
FROM earning.program_versions
WHERE program = ANY ($1::text[])
ORDER BY program, version;

-- name: newest
SELECT program, version, document, checksum, published_at, in_force_from, relayed_at
FROM earning.program_versions
WHERE program = $1
ORDER BY version DESC
LIMIT 1;

-- name: list
SELECT program, version, document, checksum, published_at, in_force_from, relayed_at
FROM earning.program_versions
ORDER BY program, version;

-- name: insert
INSERT INTO earning.program_versions (program, version, document, checksum, published_at, in_force_from, serial)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: not_relayed
-- One relay at a time: a second one waits for the first and then finds nothing.
SELECT program, version, document, checksum, published_at, in_force_from, relayed_at
FROM earning.program_versions
WHERE relayed_at IS NULL
ORDER BY serial
FOR UPDATE;

-- name: mark_relayed
UPDATE earning.program_versions SET relayed_at = clock_timestamp()
WHERE program = $1 AND version = $2 AND relayed_at IS NULL;
