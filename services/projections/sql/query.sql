-- What the command and other readers ask. Views only, but for the fences.

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

-- name: programs
SELECT program, count(*) AS members, max(booked_at) AS booked_at
FROM loyalty.balances
GROUP BY program
ORDER BY program;

-- name: dead_letters
SELECT reason, count(*) AS records
FROM projections.dead_letters
GROUP BY reason
ORDER BY reason;
