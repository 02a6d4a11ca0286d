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
SELECT topic, partition, record_offset FROM projections.dead_letters WHERE relayed_at IS NOT NULL

-- name: journal
SELECT position, bytes FROM earning.journal WHERE shard = $1 AND position > $2 ORDER BY position

-- name: standings
SELECT count(*) FROM earning.standings WHERE shard = $1

-- name: folded
SELECT partition, max(position) FROM loyalty.history GROUP BY partition

-- name: history
SELECT position, program, member, sequence, kind, occurred_at, booked_at, change, balance, pending, deficit
FROM loyalty.history WHERE partition = $1 AND position > $2 ORDER BY position

-- name: balances
SELECT b.* FROM loyalty.balances b

-- name: tiers
SELECT program, member, tier FROM loyalty.tiers
