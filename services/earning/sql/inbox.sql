-- name: shards
SELECT DISTINCT shard FROM earning.inbox WHERE shard = ANY ($1::integer[]) AND failed IS NULL;

-- name: messages
SELECT id, program, member, fact FROM earning.inbox WHERE shard = $1 AND failed IS NULL ORDER BY id LIMIT $2;

-- name: done
DELETE FROM earning.inbox WHERE shard = $1 AND id = ANY ($2::bigint[]);

-- name: failed
UPDATE earning.inbox SET failed = $3 WHERE shard = $1 AND id = $2;
