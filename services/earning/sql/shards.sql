-- The heads of the shards: position and hash of the newest event of each.

-- name: lock_shards
-- A statement of its own: what is read after it, in further statements, is what the previous owner has left.
SELECT shard, position, chain, date_trunc('month', now() AT TIME ZONE 'UTC')::date AS month
FROM earning.shards
WHERE shard = ANY ($1::integer[])
ORDER BY shard
FOR UPDATE;

-- name: heads
SELECT shard, position, chain FROM earning.shards ORDER BY shard;

-- name: update_shards
UPDATE earning.shards s
SET position = moved.position, chain = moved.chain
FROM unnest($1::integer[], $2::bigint[], $3::text[]) AS moved (shard, position, chain)
WHERE s.shard = moved.shard;
