-- What the demo shows beside what `services.projections.query` has.

-- name: member_to_show
-- The shortest history whose end, as much as is shown, tells most: of referrals, reviews, cards, and what else happens.
WITH shown AS (
    SELECT member, kind, key_kind, sequence, max(sequence) OVER (PARTITION BY member) AS last
    FROM loyalty.history
    WHERE program = $1
), told AS (
    SELECT member, max(last) AS length,
        bool_or(key_kind IN ('referral', 'referrer') AND kind = 'points.earned') AS referral,
        bool_or(key_kind = 'review' AND kind = 'points.earned') AS review,
        bool_or(key_kind = 'stamp_card' AND kind = 'points.earned') AS card,
        bool_or(kind = 'points.reversed') AS reversal,
        bool_or(kind = 'tier.changed') AS tier,
        bool_or(kind = 'points.redeemed') AS redemption
    FROM shown
    WHERE sequence > last - $2
    GROUP BY member
)
SELECT member
FROM told
ORDER BY 2 * (referral::int + review::int + card::int) + reversal::int + tier::int + redemption::int DESC, length, member
LIMIT 1;

-- name: sources
SELECT kind, rule, awards, earned, reversed
FROM loyalty.points_sources
WHERE program = $1
ORDER BY earned DESC, kind, rule;

-- name: reversals
SELECT key_kind, reason, count(*) AS times, count(DISTINCT member) AS members, -sum(net)::bigint AS points
FROM loyalty.history
WHERE program = $1 AND kind = 'points.reversed'
GROUP BY key_kind, reason
ORDER BY points DESC, key_kind, reason;

-- name: referrals
-- What became of each referral by the newest word of it on the new household's side, and what both sides have of it.
-- One that came to nothing is told once only, when it was completed; why may have changed with its order since.
WITH outcomes AS (
    SELECT DISTINCT ON (key_id) key_id, kind, CASE WHEN kind <> 'fact.recorded' THEN reason END AS reason
    FROM loyalty.history
    WHERE program = $1 AND key_kind = 'referral' AND (kind LIKE 'referral.%' OR kind = 'fact.recorded')
    ORDER BY key_id, kind LIKE 'referral.%' DESC, sequence DESC
), given AS (
    SELECT key_id, coalesce(sum(net) FILTER (WHERE key_kind = 'referral'), 0)::bigint AS referee,
        coalesce(sum(net) FILTER (WHERE key_kind = 'referrer'), 0)::bigint AS referrer
    FROM loyalty.history
    WHERE program = $1 AND key_kind IN ('referral', 'referrer')
    GROUP BY key_id
)
SELECT kind, reason, count(*) AS referrals, sum(referee)::bigint AS referee, sum(referrer)::bigint AS referrer
FROM outcomes
JOIN given USING (key_id)
GROUP BY kind, reason
ORDER BY kind DESC, referrals DESC, reason;

-- name: weekends
-- Orders that earned on Saturdays and Sundays, those from $2 until $3 apart. A rule whose points are doubled has given
-- half of them, rounded up, for that.
WITH earned AS (
    SELECT occurred_at >= $2 AND occurred_at < $3 AS bonus, occurred_at AT TIME ZONE $4 AS at, net, rules
    FROM loyalty.history
    WHERE program = $1 AND kind = 'points.earned' AND key_kind = 'order'
)
SELECT bonus, count(*) AS orders, sum(net)::bigint AS points, count(DISTINCT date_trunc('week', at)) AS weekends,
    sum((
        SELECT sum((share.parts[1]::bigint + 1) / 2)
        FROM regexp_matches(rules, '(?:base|fresh) (\d+)', 'g') AS share (parts)
    ))::bigint AS doubled
FROM earned
WHERE extract(isodow FROM at) IN (6, 7)
GROUP BY bonus
ORDER BY bonus DESC;

-- name: cards
SELECT count(DISTINCT member) AS members, coalesce(sum(net) FILTER (WHERE kind = 'points.earned'), 0)::bigint AS earned,
    coalesce(-sum(net) FILTER (WHERE kind = 'points.reversed'), 0)::bigint AS reversed
FROM loyalty.history
WHERE program = $1 AND key_kind = 'stamp_card';

-- name: members
SELECT count(*) FROM loyalty.balances WHERE program = $1;
