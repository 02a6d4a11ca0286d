-- What the demo shows beside what `services.projections.query` has.

-- name: member_to_show
-- The shortest history in which a refund came back and a tier was reached: it fits on a screen.
SELECT member
FROM loyalty.history
WHERE program = $1
GROUP BY member
HAVING bool_or(kind = 'points.reversed') AND bool_or(kind = 'tier.changed')
ORDER BY count(*), member
LIMIT 1;

-- name: reversals
SELECT reason, count(*) AS times, count(DISTINCT member) AS members, -sum(net)::bigint AS points
FROM loyalty.history
WHERE program = $1 AND kind = 'points.reversed'
GROUP BY reason
ORDER BY reason;

-- name: members
SELECT count(*) FROM loyalty.balances WHERE program = $1;
