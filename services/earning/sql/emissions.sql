-- Emissions: how far each shard is published, and how far its log was found whole.

-- name: emitted
SELECT shard, emitted, whole_to, looked_to FROM earning.emissions WHERE shard = ANY ($1::integer[]);

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
