-- Fences: how far each input partition is decided, and what is remembered of its log.

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

-- name: received_at_last
-- A partition that has not moved for a while: whether it is at its end is for the caller to ask Kafka, before this.
SELECT topic, partition, stored, received_at_last, moved_at < now() - $2::interval AS idle, now() AS present
FROM earning.fences
WHERE topic = ANY ($1::text[]);
