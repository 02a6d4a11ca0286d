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

-- name: create_changed
CREATE TEMPORARY TABLE changed_{table} (LIKE projections.{table}_{generation}) ON COMMIT DELETE ROWS;

-- The columns of each read model's table; none: this generation has no such table.
-- name: columns
SELECT model.name, array(
    SELECT attname::text
    FROM pg_attribute
    WHERE attrelid = to_regclass(format('projections.%I', model.name || '_{generation}')) AND attnum > 0 AND NOT attisdropped
) AS columns
FROM unnest($1::text[]) AS model (name);

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
    (topic, partition, "offset", reason, text, field, key, value, headers, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
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
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at
FROM projections.dead_letters
WHERE relayed_at IS NULL
ORDER BY topic, partition, "offset"
LIMIT $1
FOR UPDATE SKIP LOCKED;

-- name: mark_relayed
UPDATE projections.dead_letters AS d
SET relayed_at = now()
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS r (topic, partition, "offset")
WHERE (d.topic, d.partition, d."offset") = (r.topic, r.partition, r."offset");
