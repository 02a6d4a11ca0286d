-- What waits, for the metrics. Each looks at few rows, by indexes made for those that wait.

-- name: open_dead_letters
SELECT reason, count(*) AS number
FROM earning.dead_letters
WHERE retried_at IS NULL AND discarded_at IS NULL
GROUP BY reason
ORDER BY reason;

-- name: waiting
SELECT
    ((SELECT coalesce(sum(position), 0) FROM earning.shards)
        - (SELECT coalesce(sum(emitted), 0) FROM earning.emissions))::bigint AS events_to_publish,
    (SELECT count(*) FROM earning.dead_letters WHERE relayed_at IS NULL) AS dead_letters_to_publish,
    (SELECT count(*) FROM earning.inbox WHERE failed IS NULL) AS messages,
    (SELECT count(*) FROM earning.inbox WHERE failed IS NOT NULL) AS messages_failed,
    (
        SELECT coalesce(extract(epoch FROM greatest(now() - min(put_at), '0')), 0)::double precision
        FROM earning.inbox
        WHERE failed IS NULL
    ) AS message_age_s,
    (
        SELECT coalesce(extract(epoch FROM greatest(now() - min(first.next_due), '0')), 0)::double precision
        FROM earning.shards s
        CROSS JOIN LATERAL (
            SELECT next_due
            FROM earning.standings
            WHERE standings.shard = s.shard AND next_due IS NOT NULL
            ORDER BY next_due
            LIMIT 1
        ) AS first
    ) AS overdue_s,
    (SELECT count(*) FROM earning.fences WHERE changed_at > now() - $1::interval) AS logs_changed;
