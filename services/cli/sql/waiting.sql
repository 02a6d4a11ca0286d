-- Facts that were taken in and wait for another one.

-- name: waiting
-- The newest event of its key says that it waits; what came after ends the wait, and has an event of the same key.
SELECT w.reason, w.member, w.source, w.key_kind, w.key_id, w.occurred_at, w.booked_at
FROM (
    SELECT DISTINCT ON (source, key_kind, key_id) *
    FROM loyalty.history
    WHERE program = $1 AND kind = 'fact.recorded' AND starts_with(reason, 'waits_for_')
    ORDER BY source, key_kind, key_id, sequence DESC
) AS w
WHERE NOT EXISTS (
    SELECT FROM loyalty.history AS later
    WHERE later.program = $1 AND later.member = w.member AND later.sequence > w.sequence
        AND (later.source, later.key_kind, later.key_id) = (w.source, w.key_kind, w.key_id)
)
ORDER BY w.booked_at, w.source, w.key_kind, w.key_id
LIMIT $2;
