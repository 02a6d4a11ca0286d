-- name: fences
SELECT topic, sum(stored)::bigint AS decided, sum(applied)::bigint AS applied, sum(duplicate)::bigint AS duplicate,
    sum(rejected)::bigint AS rejected, sum(dead_letter)::bigint AS dead_letter, sum(begun)::bigint AS begun,
    sum(counted_before)::bigint AS counted_before
FROM earning.fences
GROUP BY topic;

-- name: changes
SELECT topic, partition, changed_at, change FROM earning.fences WHERE changed_at IS NOT NULL ORDER BY changed_at DESC;

-- name: journal
SELECT coalesce((SELECT sum(position) FROM earning.shards), 0)::bigint AS decided,
    coalesce((SELECT sum(emitted) FROM earning.emissions), 0)::bigint AS emitted;

-- name: messages
SELECT count(*) FROM earning.inbox WHERE failed IS NULL;

-- name: earning_dead_letters
SELECT reason, count(*) AS count, count(*) FILTER (WHERE relayed_at IS NULL) AS not_relayed,
    count(*) FILTER (WHERE retried_at IS NOT NULL AND discarded_at IS NULL) AS retried,
    count(*) FILTER (WHERE discarded_at IS NOT NULL) AS discarded
FROM earning.dead_letters
GROUP BY reason
ORDER BY count(*) FILTER (WHERE retried_at IS NULL AND discarded_at IS NULL) DESC, reason;

-- name: generation
SELECT current FROM projections.generation;

-- name: visible
SELECT coalesce(sum(position), 0)::bigint AS visible FROM projections.positions_{generation};

-- name: projections_dead_letters
SELECT reason, count(*) AS count, count(*) FILTER (WHERE relayed_at IS NULL) AS not_relayed, 0::bigint AS retried,
    count(*) FILTER (WHERE discarded_at IS NOT NULL) AS discarded
FROM projections.dead_letters
GROUP BY reason
ORDER BY count(*) FILTER (WHERE discarded_at IS NULL) DESC, reason;
