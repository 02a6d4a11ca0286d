-- name: heads
SELECT shard, position FROM earning.shards ORDER BY shard;

-- name: lock_shard
SELECT position FROM earning.shards WHERE shard = $1 FOR UPDATE;

-- name: journal
SELECT position, type, bytes
FROM earning.journal
WHERE shard = $1 AND position > $2
ORDER BY position
LIMIT $3;

-- name: standings
SELECT program, member, body FROM earning.standings WHERE shard = $1;

-- name: keys
SELECT program, source, kind, id, member, lots, body FROM earning.keys WHERE shard = $1;

-- name: lots
SELECT shard, program, member, lot, source, kind, id, points, remaining, earned_at, available_at, expires_at, due, body
FROM earning.lots
WHERE shard = $1;

-- name: delete_standings
DELETE FROM earning.standings WHERE shard = $1;

-- name: delete_keys
DELETE FROM earning.keys WHERE shard = $1;

-- name: delete_lots
DELETE FROM earning.lots WHERE shard = $1;
