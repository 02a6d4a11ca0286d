-- name: lock_shards
-- A statement of its own: what is read after it, in further statements, is what the previous owner has left.
SELECT shard, position, chain, date_trunc('month', now() AT TIME ZONE 'UTC')::date AS month
FROM earning.shards
WHERE shard = ANY ($1::integer[])
ORDER BY shard
FOR UPDATE;

-- name: lock_fences
SELECT f.topic, f.partition, f.stored, f.log
FROM unnest($1::text[], $2::integer[]) AS batch (topic, partition)
JOIN earning.fences f USING (topic, partition)
ORDER BY f.topic, f.partition
FOR UPDATE OF f;

-- name: fences
SELECT f.topic, f.partition, f.stored, f.log, f.bookmark_offset, f.bookmark_timestamp, f.bookmark_crc
FROM unnest($1::text[], $2::integer[]) AS mine (topic, partition)
JOIN earning.fences f USING (topic, partition);

-- name: new_fences
INSERT INTO earning.fences (topic, partition, stored, begun)
SELECT topic, partition, stored, stored
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS beginnings (topic, partition, stored)
ORDER BY topic, partition
ON CONFLICT (topic, partition) DO NOTHING;

-- name: standings
-- One program a statement: an array more would cost more than the statement, and a batch has few programs.
SELECT program, member, body
FROM earning.standings
WHERE program = $1 AND member = ANY ($2::text[]);

-- name: keys
-- One source and kind a statement, likewise.
SELECT program, source, kind, id, member, lots, body
FROM earning.keys
WHERE program = $1 AND source = $2 AND kind = $3 AND id = ANY ($4::text[]);

-- name: lots
SELECT l.program, l.member, l.body
FROM unnest($1::text[], $2::text[], $3::integer[]) AS wanted (program, member, lot)
JOIN earning.lots l USING (program, member, lot);

-- name: keys_of_member
SELECT program, source, kind, id, member, lots, body
FROM earning.keys
WHERE program = $1 AND member = $2;

-- name: lots_of_member
SELECT program, member, body
FROM earning.lots
WHERE program = $1 AND member = $2;

-- name: lots_left
-- Lots with anything left, in the order of consumption: null, never expiring (or still pending), comes last.
SELECT program, member, body
FROM earning.lots
WHERE program = $1 AND member = $2 AND (remaining > 0 OR available_at IS NULL)
ORDER BY expires_at, earned_at, lot
LIMIT $3;

-- name: due_lots
SELECT l.program, l.member, l.body
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS wanted (program, member, until)
JOIN earning.lots l ON l.program = wanted.program AND l.member = wanted.member AND l.due <= wanted.until;

-- name: next_dues
-- The first dues after an instant: so many of each member that one is among them of a lot that the caller doesn't know.
SELECT l.program, l.member, l.lot, l.due
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::integer[]) AS wanted (program, member, until, known)
CROSS JOIN LATERAL (
    SELECT program, member, lot, due
    FROM earning.lots
    WHERE lots.program = wanted.program AND lots.member = wanted.member AND lots.due > wanted.until
    ORDER BY lots.due
    LIMIT wanted.known + 1
) l
ORDER BY l.due;

-- name: update_standings
UPDATE earning.standings s
SET next_due = changed.next_due, body = changed.body
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bytea[]) AS changed (program, member, next_due, body)
WHERE s.program = changed.program AND s.member = changed.member;

-- name: update_keys
-- Lots as text: arrays of arrays would all have to be of one length.
UPDATE earning.keys k
SET shard = changed.shard, member = changed.member, lots = changed.lots::integer[], body = changed.body
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::bytea[])
    AS changed (program, source, kind, id, shard, member, lots, body)
WHERE k.program = changed.program AND k.source = changed.source AND k.kind = changed.kind AND k.id = changed.id;

-- name: update_lots
UPDATE earning.lots l
SET points = changed.points, remaining = changed.remaining, available_at = changed.available_at,
    expires_at = changed.expires_at, due = changed.due, body = changed.body
FROM unnest(
    $1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[],
    $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::bytea[]
) AS changed (program, member, lot, points, remaining, available_at, expires_at, due, body)
WHERE l.program = changed.program AND l.member = changed.member AND l.lot = changed.lot;

-- name: update_shards
UPDATE earning.shards s
SET position = moved.position, chain = moved.chain
FROM unnest($1::integer[], $2::bigint[], $3::text[]) AS moved (shard, position, chain)
WHERE s.shard = moved.shard;

-- name: update_fences
UPDATE earning.fences f
SET stored = moved.stored,
    moved_at = now(),
    applied = f.applied + moved.applied,
    duplicate = f.duplicate + moved.duplicate,
    rejected = f.rejected + moved.rejected,
    dead_letter = f.dead_letter + moved.dead_letter,
    received_at_last = greatest(f.received_at_last, moved.received_at_last),
    -- A span may end in a gap: then the record before it stays the last one covered.
    bookmark_offset = coalesce(moved.bookmark_offset, f.bookmark_offset),
    bookmark_timestamp = coalesce(moved.bookmark_timestamp, f.bookmark_timestamp),
    bookmark_crc = coalesce(moved.bookmark_crc, f.bookmark_crc)
FROM unnest(
    $1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::timestamptz[],
    $9::bigint[], $10::timestamptz[], $11::bigint[]
) AS moved (
    topic, partition, stored, applied, duplicate, rejected, dead_letter, received_at_last,
    bookmark_offset, bookmark_timestamp, bookmark_crc
)
WHERE f.topic = moved.topic AND f.partition = moved.partition;

-- name: begin_again
-- A log that changed: its fence goes to where it is to be read from, and the counts begin there anew.
UPDATE earning.fences
SET log = log + 1, stored = $4, begun = $4, moved_at = now(),
    counted_before = applied + duplicate + rejected + dead_letter,
    received_at_last = bookmark_timestamp - $6::interval,
    bookmark_offset = NULL, bookmark_timestamp = NULL, bookmark_crc = NULL,
    changed_at = now(), change = $5
WHERE topic = $1 AND partition = $2 AND log = $3
RETURNING log;
