-- Of each dead letter: whether it is open, was retried, or was discarded. The fences' counts have nothing to do with it.

-- name: list
SELECT 'earning' AS service, topic, partition, "offset", reason, text, field, received_at, recorded_at, relayed_at,
    CASE WHEN discarded_at IS NOT NULL THEN 'discarded' WHEN retried_at IS NOT NULL THEN 'retried' ELSE 'open' END
        AS state,
    retried_at, discarded_at, discarded_why
FROM earning.dead_letters
WHERE ($1::text IS NULL OR reason = $1) AND ($2 OR retried_at IS NULL AND discarded_at IS NULL)
ORDER BY recorded_at DESC, topic, partition, "offset"
LIMIT $3;

-- name: list_foreign
SELECT 'projections' AS service, topic, partition, "offset", reason, text, field, received_at, recorded_at, relayed_at, CASE WHEN discarded_at IS NULL THEN 'open' ELSE 'discarded' END AS state,
    NULL::timestamptz AS retried_at, discarded_at, discarded_why
FROM projections.dead_letters
WHERE ($1::text IS NULL OR reason = $1) AND ($2 OR discarded_at IS NULL)
ORDER BY recorded_at DESC, topic, partition, "offset"
LIMIT $3;

-- name: get
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at, log, retried_at,
    discarded_at, discarded_why
FROM earning.dead_letters
WHERE topic = $1 AND partition = $2 AND "offset" = $3
-- Where the log was made anew there may be several: the one that is open, else the one of its present log.
ORDER BY (retried_at IS NULL AND discarded_at IS NULL) DESC, log DESC
LIMIT 1;

-- name: get_foreign
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at,
    discarded_at, discarded_why
FROM projections.dead_letters
WHERE topic = $1 AND partition = $2 AND "offset" = $3;

-- name: to_retry
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at, log
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

-- name: count_open_foreign
SELECT count(*) FROM projections.dead_letters WHERE reason = $1 AND discarded_at IS NULL AND recorded_at <= $2;

-- name: discard
UPDATE earning.dead_letters
SET discarded_at = clock_timestamp(), discarded_why = $5
WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND log = $4 AND retried_at IS NULL AND discarded_at IS NULL
RETURNING log;

-- name: discard_foreign
UPDATE projections.dead_letters
SET discarded_at = clock_timestamp(), discarded_why = $4
WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND discarded_at IS NULL
RETURNING partition;

-- name: discard_all
WITH done AS (
    UPDATE earning.dead_letters
    SET discarded_at = clock_timestamp(), discarded_why = $3
    WHERE reason = $1 AND retried_at IS NULL AND discarded_at IS NULL AND recorded_at <= $2
    RETURNING partition
)
SELECT count(*) FROM done;

-- name: discard_all_foreign
WITH done AS (
    UPDATE projections.dead_letters
    SET discarded_at = clock_timestamp(), discarded_why = $3
    WHERE reason = $1 AND discarded_at IS NULL AND recorded_at <= $2
    RETURNING partition
)
SELECT count(*) FROM done;

-- name: republish
WITH again AS (
    UPDATE earning.dead_letters SET relayed_at = NULL WHERE relayed_at IS NOT NULL RETURNING partition
)
SELECT count(*) FROM again;

-- name: republish_foreign
WITH again AS (
    UPDATE projections.dead_letters SET relayed_at = NULL WHERE relayed_at IS NOT NULL RETURNING partition
)
SELECT count(*) FROM again;
