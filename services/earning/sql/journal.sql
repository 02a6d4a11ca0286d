-- The journal: every point event in the order of its shard.

-- name: after
SELECT j.shard, j.position, j.month, j.key, j.type, j.decided_at, j.bytes
FROM unnest($1::integer[], $2::bigint[]) AS after (shard, position)
CROSS JOIN LATERAL (
    SELECT *
    FROM earning.journal
    WHERE journal.shard = after.shard AND journal.position > after.position
    ORDER BY journal.position
    LIMIT $3
) j;

-- name: after_in_shard
SELECT position, type, bytes
FROM earning.journal
WHERE shard = $1 AND position > $2
ORDER BY position
LIMIT $3;

-- name: bytes_at
SELECT j.shard, j.bytes
FROM unnest($1::integer[], $2::bigint[]) AS wanted (shard, position)
JOIN earning.journal j USING (shard, position);
