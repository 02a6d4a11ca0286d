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
