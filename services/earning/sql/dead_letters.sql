-- What an operator asks and does about dead letters. Each is open, retried or discarded; the fences' counts stay as they
-- are.

-- name: list
SELECT 'earning' AS service, topic, partition, "offset", reason, text, field, received_at, recorded_at, relayed_at,
    CASE WHEN discarded_at IS NOT NULL THEN 'discarded' WHEN retried_at IS NOT NULL THEN 'retried' ELSE 'open' END
        AS state,
    retried_at, discarded_at, discarded_why
FROM earning.dead_letters
WHERE ($1::text IS NULL OR reason = $1) AND ($2 OR retried_at IS NULL AND discarded_at IS NULL)
ORDER BY recorded_at DESC, topic, partition, "offset"
LIMIT $3;

-- name: find
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at, log, retried_at,
    discarded_at, discarded_why
FROM earning.dead_letters
WHERE topic = $1 AND partition = $2 AND "offset" = $3
-- Where the log was made anew there may be several: the one that is open, else the one of its present log.
ORDER BY (retried_at IS NULL AND discarded_at IS NULL) DESC, log DESC
LIMIT 1;

-- name: to_retry
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at, log, retried_at,
    discarded_at, discarded_why
FROM earning.dead_letters
WHERE reason = $1 AND retried_at IS NULL AND discarded_at IS NULL AND recorded_at <= $2
ORDER BY topic, partition, "offset", log
LIMIT $3;

-- name: now
SELECT clock_timestamp();

-- name: mark_retried
UPDATE earning.dead_letters d
SET retried_at = clock_timestamp()
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::integer[]) AS sent (topic, partition, "offset", log)
WHERE (d.topic, d.partition, d."offset", d.log) = (sent.topic, sent.partition, sent."offset", sent.log);

-- name: count_open
SELECT count(*) FROM earning.dead_letters
WHERE reason = $1 AND retried_at IS NULL AND discarded_at IS NULL AND recorded_at <= $2;

-- name: discard
UPDATE earning.dead_letters
SET discarded_at = clock_timestamp(), discarded_why = $5
WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND log = $4 AND retried_at IS NULL AND discarded_at IS NULL
RETURNING log;

-- name: discard_all
WITH done AS (
    UPDATE earning.dead_letters
    SET discarded_at = clock_timestamp(), discarded_why = $3
    WHERE reason = $1 AND retried_at IS NULL AND discarded_at IS NULL AND recorded_at <= $2
    RETURNING partition
)
SELECT count(*) FROM done;

-- name: republish
WITH again AS (
    UPDATE earning.dead_letters SET relayed_at = NULL WHERE relayed_at IS NOT NULL RETURNING partition
)
SELECT count(*) FROM again;

-- name: counts
SELECT reason, count(*) AS count, count(*) FILTER (WHERE relayed_at IS NULL) AS not_relayed,
    count(*) FILTER (WHERE retried_at IS NOT NULL AND discarded_at IS NULL) AS retried,
    count(*) FILTER (WHERE discarded_at IS NOT NULL) AS discarded
FROM earning.dead_letters
GROUP BY reason
ORDER BY count(*) FILTER (WHERE retried_at IS NULL AND discarded_at IS NULL) DESC, reason;
-- name: to_relay
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
