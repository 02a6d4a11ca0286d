-- What the command and other readers ask, of the views alone.

-- name: balance
SELECT b.*, t.tier, t.since AS tier_since, t.valid_until AS tier_valid_until, t.qualifying, t.to_next, t.to_keep
FROM loyalty.balances AS b
LEFT JOIN loyalty.tiers AS t USING (program, member)
WHERE b.program = $1 AND b.member = $2;

-- name: history
SELECT *
FROM loyalty.history
WHERE program = $1 AND member = $2
ORDER BY sequence DESC
LIMIT $3;

-- Points moved in a period, by kind of event.
-- name: movements
SELECT kind, count(*) AS events, sum(net) AS net
FROM loyalty.history
WHERE program = $1 AND booked_at >= $2 AND booked_at < $3
GROUP BY kind
ORDER BY kind;

-- What all members had at an instant, by the resulting balances of each one's last row before it.
-- name: total_at
SELECT coalesce(sum(balance + pending - deficit), 0)::bigint AS total, count(*) AS members
FROM (
    SELECT DISTINCT ON (program, member) balance, pending, deficit
    FROM loyalty.history
    WHERE program = $1 AND booked_at < $2
    ORDER BY program, member, sequence DESC
) AS last;

-- name: total_now
SELECT coalesce(sum(available + pending - deficit), 0)::bigint AS total, count(*) AS members, max(booked_at) AS booked_at
FROM loyalty.balances
WHERE program = $1;

-- name: tier_counts
SELECT tier, count(*) AS members
FROM loyalty.tiers
WHERE program = $1
GROUP BY tier
ORDER BY members DESC, tier;

-- name: top_earners
SELECT b.program, b.member, b.earned, b.reversed, b.available, t.tier
FROM loyalty.balances AS b
LEFT JOIN loyalty.tiers AS t USING (program, member)
WHERE b.program = $1
ORDER BY b.earned - b.reversed DESC, b.member
LIMIT $2;

-- name: positions_of_keys
SELECT partition, position
FROM loyalty.history
WHERE program = $1 AND member = $2
    AND (source, key_kind, key_id) IN (SELECT * FROM unnest($3::text[], $4::text[], $5::text[]))
ORDER BY sequence;

-- Facts that were taken in and wait for another one.
-- name: waiting
-- The newest event of its key says that it waits; what came after ends the wait, and has an event of the same key.
SELECT w.reason, w.member, w.source, w.key_kind, w.key_id, w.occurred_at, w.booked_at
FROM (
    SELECT DISTINCT ON (source, key_kind, key_id) *
    FROM loyalty.history
    WHERE program = $1 AND kind = 'fact.recorded' AND starts_with(reason, 'waits_for_')
    ORDER BY source, key_kind, key_id, sequence DESC
) AS w
WHERE NOT EXISTS (
    SELECT FROM loyalty.history AS later
    WHERE later.program = $1 AND later.member = w.member AND later.sequence > w.sequence
        AND (later.source, later.key_kind, later.key_id) = (w.source, w.key_kind, w.key_id)
)
ORDER BY w.booked_at, w.source, w.key_kind, w.key_id
LIMIT $2;
