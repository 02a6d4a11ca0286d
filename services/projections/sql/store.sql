-- Statements of the folding transaction. {generation} is the suffix of the tables written.

-- name: current_generation
SELECT current FROM projections.generation;

-- name: installation
SELECT current, partitions FROM projections.generation;

-- name: set_partitions
UPDATE projections.generation SET partitions = $1 WHERE partitions IS NULL;

-- name: add_positions
INSERT INTO projections.positions_{generation} (partition)
SELECT partition FROM generate_series(0, $1::int - 1) AS partition
ON CONFLICT DO NOTHING;

-- The new tables of a rebuild have no key yet, which ON CONFLICT would need.
-- name: fill_positions
INSERT INTO projections.positions_{generation} (partition)
SELECT partition FROM generate_series(0, $1::int - 1) AS partition;

-- name: read_positions
SELECT partition, position, hash, next_offset FROM projections.positions_{generation} ORDER BY partition;

-- name: lock_positions
SELECT partition, position, hash, next_offset, successor
FROM projections.positions_{generation}
WHERE partition = ANY ($1::int[])
ORDER BY partition
FOR UPDATE;

-- name: move_positions
UPDATE projections.positions_{generation} AS p
SET position = n.position, hash = n.hash, next_offset = n.next_offset
FROM unnest($1::int[], $2::bigint[], $3::bytea[], $4::bigint[]) AS n (partition, position, hash, next_offset)
WHERE p.partition = n.partition;

-- name: create_changed_members
CREATE TEMPORARY TABLE changed_members (LIKE projections.members_{generation}) ON COMMIT DELETE ROWS;

-- What a batch did not say of a tier stays as it is. Balances are absolute: the later event holds the truth.
-- name: save_members
INSERT INTO projections.members_{generation} AS m
SELECT * FROM changed_members
ON CONFLICT (program, member, partition) DO UPDATE SET
    sequence = excluded.sequence,
    booked_at = excluded.booked_at,
    available = excluded.available,
    pending = excluded.pending,
    deficit = excluded.deficit,
    earned = excluded.earned,
    restored = excluded.restored,
    adjusted = excluded.adjusted,
    imported = excluded.imported,
    expired_reversed = excluded.expired_reversed,
    forgiven = excluded.forgiven,
    reinstated = excluded.reinstated,
    transferred_in = excluded.transferred_in,
    transferred_out = excluded.transferred_out,
    reversed = excluded.reversed,
    redeemed = excluded.redeemed,
    expired = excluded.expired,
    reverted = excluded.reverted,
    tier = coalesce(excluded.tier, m.tier),
    tier_since = coalesce(excluded.tier_since, m.tier_since),
    tier_until = CASE WHEN excluded.tier IS NULL THEN m.tier_until ELSE excluded.tier_until END,
    qualifying = coalesce(excluded.qualifying, m.qualifying),
    to_next = CASE WHEN excluded.qualifying IS NULL THEN m.to_next ELSE excluded.to_next END,
    to_keep = CASE WHEN excluded.qualifying IS NULL THEN m.to_keep ELSE excluded.to_keep END;

-- Of records seen again: the first whose bytes are not those folded at its position.
-- name: find_fork
SELECT k.partition, k.position
FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bytea[])
    AS k (partition, position, program, member, sequence, hash)
LEFT JOIN projections.history_{generation} AS h USING (program, member, sequence, partition)
WHERE h.position IS DISTINCT FROM k.position OR h.hash IS DISTINCT FROM k.hash
ORDER BY k.partition, k.position
LIMIT 1;

-- name: add_dead_letter
INSERT INTO projections.dead_letters
    (topic, partition, record_offset, reason, message, key, value, headers, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING;

-- name: dead_letters_wait
SELECT EXISTS (SELECT FROM projections.dead_letters WHERE relayed_at IS NULL);

-- name: open_dead_letters
SELECT reason, count(*) AS number
FROM projections.dead_letters
WHERE discarded_at IS NULL
GROUP BY reason
ORDER BY reason;

-- name: unrelayed_dead_letters
SELECT topic, partition, record_offset, reason, message, key, value, headers, received_at
FROM projections.dead_letters
WHERE relayed_at IS NULL
ORDER BY topic, partition, record_offset
LIMIT $1
FOR UPDATE SKIP LOCKED;

-- name: mark_relayed
UPDATE projections.dead_letters AS d
SET relayed_at = now()
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS r (topic, partition, record_offset)
WHERE (d.topic, d.partition, d.record_offset) = (r.topic, r.partition, r.record_offset);
