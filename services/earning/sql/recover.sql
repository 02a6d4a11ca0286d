-- name: database
-- Which database this is, and since when its server runs: another one may hold less than we know of.
SELECT oid::bigint, pg_postmaster_start_time() FROM pg_database WHERE datname = current_database();

-- name: heads
SELECT shard, position, chain FROM earning.shards ORDER BY shard;

-- name: bytes_at
SELECT j.shard, j.bytes
FROM unnest($1::integer[], $2::bigint[]) AS wanted (shard, position)
JOIN earning.journal j USING (shard, position);
