-- What a balance is made of: lots, and the point events that made them.

-- name: lots
SELECT lot, source, kind, id, points, remaining, earned_at, expires_at,
    CASE WHEN available_at IS NULL THEN due END AS releases_at, available_at IS NULL AS waits
FROM earning.lots
WHERE program = $1 AND member = $2 AND remaining > 0
ORDER BY expires_at NULLS LAST, earned_at, lot;

-- name: positions_of_keys
SELECT partition, position
FROM loyalty.history
WHERE program = $1 AND member = $2
    AND (source, key_kind, key_id) IN (SELECT * FROM unnest($3::text[], $4::text[], $5::text[]))
ORDER BY sequence;

-- name: events
SELECT j.type, j.bytes
FROM unnest($1::integer[], $2::bigint[]) AS wanted (shard, position)
JOIN earning.journal j USING (shard, position)
ORDER BY j.shard, j.position;

