-- What an operator asks and does about records that earning did not write. Each is open or discarded.

-- name: list
SELECT 'projections' AS service, topic, partition, "offset", reason, text, field, received_at, recorded_at, relayed_at,
    CASE WHEN discarded_at IS NULL THEN 'open' ELSE 'discarded' END AS state,
    NULL::timestamptz AS retried_at, discarded_at, discarded_why
FROM projections.dead_letters
WHERE ($1::text IS NULL OR reason = $1) AND ($2 OR discarded_at IS NULL)
ORDER BY recorded_at DESC, topic, partition, "offset"
LIMIT $3;

-- name: find
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at, 0 AS log,
    NULL::timestamptz AS retried_at, discarded_at, discarded_why
FROM projections.dead_letters
WHERE topic = $1 AND partition = $2 AND "offset" = $3;

-- name: count_open
SELECT count(*) FROM projections.dead_letters WHERE reason = $1 AND discarded_at IS NULL AND recorded_at <= $2;

-- name: discard
UPDATE projections.dead_letters
SET discarded_at = clock_timestamp(), discarded_why = $5
WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND $4::integer = 0 AND discarded_at IS NULL
RETURNING partition;

-- name: discard_all
WITH done AS (
    UPDATE projections.dead_letters
    SET discarded_at = clock_timestamp(), discarded_why = $3
    WHERE reason = $1 AND discarded_at IS NULL AND recorded_at <= $2
    RETURNING partition
)
SELECT count(*) FROM done;

-- name: republish
WITH again AS (
    UPDATE projections.dead_letters SET relayed_at = NULL WHERE relayed_at IS NOT NULL RETURNING partition
)
SELECT count(*) FROM again;

-- name: counts
SELECT reason, count(*) AS count, count(*) FILTER (WHERE relayed_at IS NULL) AS not_relayed, 0::bigint AS retried,
    count(*) FILTER (WHERE discarded_at IS NOT NULL) AS discarded
FROM projections.dead_letters
GROUP BY reason
ORDER BY count(*) FILTER (WHERE discarded_at IS NULL) DESC, reason;
