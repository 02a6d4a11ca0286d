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
