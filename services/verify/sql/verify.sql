-- name: shards
SELECT shard, position, chain FROM earning.shards ORDER BY shard

-- name: fences
SELECT topic, partition, stored, applied, duplicate, rejected, dead_letter, log, begun, counted_before
FROM earning.fences

-- name: dead_letters
SELECT topic, partition, count(*) FROM earning.dead_letters GROUP BY topic, partition

-- name: relayed_dead_letters
SELECT topic, partition, "offset" FROM earning.dead_letters WHERE relayed_at IS NOT NULL
UNION ALL
SELECT topic, partition, "offset" FROM projections.dead_letters WHERE relayed_at IS NOT NULL

-- name: journal
SELECT position, bytes FROM earning.journal WHERE shard = $1 AND position > $2 ORDER BY position

-- name: folded
SELECT partition, max(position) FROM loyalty.history GROUP BY partition

-- name: history
SELECT position, program, member, sequence, kind, occurred_at, booked_at, change, balance, pending, deficit
FROM loyalty.history WHERE partition = $1 AND position > $2 ORDER BY position

-- name: balances
SELECT b.* FROM loyalty.balances b

-- name: tiers
SELECT program, member, tier FROM loyalty.tiers

-- Every table of the generation that the views show whose rows are a member's, after one of their events.
-- name: models
SELECT substring(c.relname FROM '^(.*)_\d+$') AS model, c.relname::text AS "table"
FROM projections.generation AS g
JOIN pg_class AS c ON c.relname ~ ('_' || g.current || '$')
WHERE c.relnamespace = 'projections'::regnamespace AND c.relkind = 'r' AND (
    SELECT count(*)
    FROM pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attname IN ('partition', 'program', 'member', 'sequence')
) = 4
ORDER BY 1

-- name: members_of_model
SELECT partition, program, member, max(sequence) AS sequence
FROM projections.{table}
GROUP BY partition, program, member
ORDER BY partition, program, member
