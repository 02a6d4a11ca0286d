-- name: list
SELECT 'earning' AS service, topic, partition, "offset", reason, text, field, received_at, recorded_at, relayed_at,
    retried_at
FROM earning.dead_letters
WHERE ($1::text IS NULL OR reason = $1) AND ($2 OR retried_at IS NULL)
ORDER BY recorded_at DESC, topic, partition, "offset"
LIMIT $3;

-- name: list_foreign
SELECT 'projections' AS service, topic, partition, record_offset AS "offset", reason, message AS text, '' AS field,
    received_at, recorded_at, relayed_at, NULL::timestamptz AS retried_at
FROM projection.dead_letters
WHERE $1::text IS NULL OR reason = $1
ORDER BY recorded_at DESC, topic, partition, record_offset
LIMIT $2;

-- name: get
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at
FROM earning.dead_letters
WHERE topic = $1 AND partition = $2 AND "offset" = $3
ORDER BY log DESC  -- where the log was made anew, its present one
LIMIT 1;

-- name: get_foreign
SELECT topic, partition, record_offset AS "offset", reason, message AS text, key, value, headers, received_at
FROM projection.dead_letters
WHERE topic = $1 AND partition = $2 AND record_offset = $3;

-- name: to_retry
SELECT topic, partition, "offset", reason, text, field, key, value, headers, received_at
FROM earning.dead_letters
WHERE reason = $1 AND retried_at IS NULL AND (topic, partition, "offset") > ($2, $3, $4) AND recorded_at <= $5
ORDER BY topic, partition, "offset"
LIMIT $6;

-- name: now
SELECT clock_timestamp();

-- name: mark_retried
UPDATE earning.dead_letters d
SET retried_at = clock_timestamp()
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS sent (topic, partition, "offset")
WHERE d.topic = sent.topic AND d.partition = sent.partition AND d."offset" = sent."offset";
