-- name: balance
SELECT b.*, t.tier, t.since AS tier_since, t.valid_until AS tier_until, t.qualifying, t.to_next, t.to_keep
FROM loyalty.balances b
LEFT JOIN loyalty.tiers t USING (program, member)
WHERE b.program = $1 AND b.member = $2;

-- name: history
SELECT sequence, occurred_at, booked_at, kind, why, change, balance, pending, deficit, source, key_kind, key_id, tier,
    program_version, partition, position
FROM loyalty.history
WHERE program = $1 AND member = $2
ORDER BY sequence DESC
LIMIT $3;

-- name: lots
SELECT lot, source, kind, id, points, remaining, earned_at, available_at, expires_at
FROM earning.lots
WHERE program = $1 AND member = $2 AND remaining > 0
ORDER BY expires_at NULLS LAST, earned_at, lot;

-- name: standing
SELECT shard, body FROM earning.standings WHERE program = $1 AND member = $2;

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

