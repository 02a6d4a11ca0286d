-- How far earning is, and what a member's points are made of: what the operator's command asks.

-- name: fences
SELECT topic, sum(stored)::bigint AS decided, sum(applied)::bigint AS applied, sum(duplicate)::bigint AS duplicate,
    sum(rejected)::bigint AS rejected, sum(dead_letter)::bigint AS dead_letter, sum(begun)::bigint AS begun,
    sum(counted_before)::bigint AS counted_before
FROM earning.fences
GROUP BY topic;

-- name: changes
SELECT topic, partition, changed_at, change FROM earning.fences WHERE changed_at IS NOT NULL ORDER BY changed_at DESC;

-- name: journal
SELECT coalesce((SELECT sum(position) FROM earning.shards), 0)::bigint AS decided,
    coalesce((SELECT sum(emitted) FROM earning.emissions), 0)::bigint AS emitted;

-- name: messages
SELECT count(*) FROM earning.inbox WHERE failed IS NULL;

-- name: lots
SELECT lot, source, kind, id, points, remaining, earned_at, expires_at,
    CASE WHEN available_at IS NULL THEN due END AS releases_at, available_at IS NULL AS waits
FROM earning.lots
WHERE program = $1 AND member = $2 AND remaining > 0
ORDER BY expires_at NULLS LAST, earned_at, lot;

-- name: events
SELECT j.type, j.bytes
FROM unnest($1::integer[], $2::bigint[]) AS wanted (shard, position)
JOIN earning.journal j USING (shard, position)
ORDER BY j.shard, j.position;
