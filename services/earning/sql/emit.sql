-- name: lease
-- Renews mine, takes what is free or whose term is over; gives what is mine now. Rows others lock just now are theirs.
INSERT INTO earning.leases AS held (kind, shard, owner, until)
SELECT $1, shard, $2, clock_timestamp() + $4::interval
FROM unnest($3::integer[]) AS wanted (shard)
ORDER BY shard
ON CONFLICT (kind, shard) DO UPDATE
SET owner = excluded.owner, until = excluded.until
WHERE held.owner = excluded.owner
    OR held.until < clock_timestamp()
    -- Given by a clock that has been set back since: it would hold for as long as that clock was ahead.
    OR held.until > clock_timestamp() + 10 * $4::interval
RETURNING shard;

-- name: release
DELETE FROM earning.leases WHERE owner = $1;

-- name: emitted
SELECT shard, emitted, whole_to, looked_to FROM earning.emissions WHERE shard = ANY ($1::integer[]);

-- name: to_emit
SELECT j.shard, j.position, j.month, j.key, j.type, j.decided_at, j.bytes
FROM unnest($1::integer[], $2::bigint[]) AS after (shard, position)
CROSS JOIN LATERAL (
    SELECT *
    FROM earning.journal
    WHERE journal.shard = after.shard AND journal.position > after.position
    ORDER BY journal.position
    LIMIT $3
) j;

-- name: record_emitted
UPDATE earning.emissions e
SET emitted = greatest(e.emitted, come.emitted)
FROM unnest($1::integer[], $2::bigint[]) AS come (shard, emitted)
WHERE e.shard = come.shard AND e.emitted < come.emitted;

-- name: record_lost
-- The log has lost what it had: the one case in which this goes back.
UPDATE earning.emissions e
SET emitted = least(e.emitted, lost.emitted)
FROM unnest($1::integer[], $2::bigint[]) AS lost (shard, emitted)
WHERE e.shard = lost.shard;

-- name: record_look
-- Unless another relay has looked since: then that is newer.
UPDATE earning.emissions e
SET whole_to = now.whole_to, looked_to = now.looked_to
FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS now (shard, whole_to_before, looked_to_before, whole_to, looked_to)
WHERE e.shard = now.shard AND (e.whole_to, e.looked_to) = (now.whole_to_before, now.looked_to_before);

-- name: dead_letters_to_relay
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at, log
FROM earning.dead_letters
WHERE relayed_at IS NULL
ORDER BY recorded_at
LIMIT $1;

-- name: record_relayed
UPDATE earning.dead_letters d
SET relayed_at = clock_timestamp()
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::integer[]) AS come (topic, partition, "offset", log)
WHERE (d.topic, d.partition, d."offset", d.log) = (come.topic, come.partition, come."offset", come.log);
