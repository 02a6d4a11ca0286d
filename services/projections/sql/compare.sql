-- Statements that compare two generations. {columns} are those both have, {live} and {rebuilt} the suffixes, {table} is
-- a read model and {key} its primary key, {member} its members' column, or nobody's id where it has none. The hash of a row depends on its values only; a sum of hashes does not depend on their order.

-- name: columns
SELECT attname::text
FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
INTERSECT
SELECT attname::text
FROM pg_attribute
WHERE attrelid = $2::text::regclass AND attnum > 0 AND NOT attisdropped
ORDER BY 1;

-- name: snapshot
SELECT pg_current_snapshot();

-- name: digest
SELECT count(*) AS rows, coalesce(sum(hash_record_extended(ROW({columns}), 0)::numeric), 0)::text AS checksum
FROM projections.{table}_{generation};

-- name: differing_members
WITH live AS (
    SELECT partition, program, {member} AS member, count(*) AS rows,
        sum(hash_record_extended(ROW({columns}), 0)::numeric) AS checksum
    FROM projections.{table}_{live}
    GROUP BY 1, 2, 3
), rebuilt AS (
    SELECT partition, program, {member} AS member, count(*) AS rows,
        sum(hash_record_extended(ROW({columns}), 0)::numeric) AS checksum
    FROM projections.{table}_{rebuilt}
    GROUP BY 1, 2, 3
)
SELECT partition, program, member, count(*) OVER () AS total
FROM live FULL JOIN rebuilt USING (partition, program, member)
WHERE (live.rows, live.checksum) IS DISTINCT FROM (rebuilt.rows, rebuilt.checksum)
ORDER BY program, member, partition
LIMIT $1;

-- name: rows_of_member
SELECT to_jsonb(t)::text AS row
FROM (
    SELECT {columns} FROM projections.{table}_{generation} WHERE (program, {member}, partition) = ($1, $2, $3)
) AS t
ORDER BY {key};

-- name: differing_positions
SELECT partition, l.position AS live, r.position AS rebuilt
FROM projections.positions_{live} AS l FULL JOIN projections.positions_{rebuilt} AS r USING (partition)
WHERE (l.position, l.hash) IS DISTINCT FROM (r.position, r.hash)
ORDER BY partition;
