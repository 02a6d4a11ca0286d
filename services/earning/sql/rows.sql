-- Standings, rows of business keys, and lots: those of members for a decision, and those of a whole shard.

-- name: standings
-- One program a statement: an array more would cost more than the statement, and a batch has few programs.
SELECT program, member, body
FROM earning.standings
WHERE program = $1 AND member = ANY ($2::text[]);

-- name: keys
-- One source and kind a statement, likewise.
SELECT program, source, kind, id, member, lots, body
FROM earning.keys
WHERE program = $1 AND source = $2 AND kind = $3 AND id = ANY ($4::text[]);

-- name: lots
SELECT l.program, l.member, l.body
FROM unnest($1::text[], $2::text[], $3::integer[]) AS wanted (program, member, lot)
JOIN earning.lots l USING (program, member, lot);

-- name: keys_of_member
SELECT program, source, kind, id, member, lots, body
FROM earning.keys
WHERE program = $1 AND member = $2;

-- name: lots_of_member
SELECT program, member, body
FROM earning.lots
WHERE program = $1 AND member = $2;

-- name: lots_left
-- Lots with anything left, in the order of consumption: null, never expiring (or still pending), comes last.
SELECT program, member, body
FROM earning.lots
WHERE program = $1 AND member = $2 AND (remaining > 0 OR available_at IS NULL)
ORDER BY expires_at, earned_at, lot
LIMIT $3;

-- name: due_lots
SELECT l.program, l.member, l.body
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS wanted (program, member, until)
JOIN earning.lots l ON l.program = wanted.program AND l.member = wanted.member AND l.due <= wanted.until;

-- name: next_dues
-- The first dues after an instant: so many of each member that one is among them of a lot that the caller doesn't know.
SELECT l.program, l.member, l.lot, l.due
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::integer[]) AS wanted (program, member, until, known)
CROSS JOIN LATERAL (
    SELECT program, member, lot, due
    FROM earning.lots
    WHERE lots.program = wanted.program AND lots.member = wanted.member AND lots.due > wanted.until
    ORDER BY lots.due
    LIMIT wanted.known + 1
) l
ORDER BY l.due;

-- name: update_standings
UPDATE earning.standings s
SET next_due = changed.next_due, body = changed.body
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bytea[]) AS changed (program, member, next_due, body)
WHERE s.program = changed.program AND s.member = changed.member;

-- name: update_keys
-- Lots as text: arrays of arrays would all have to be of one length.
UPDATE earning.keys k
SET shard = changed.shard, member = changed.member, lots = changed.lots::integer[], body = changed.body
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::bytea[])
    AS changed (program, source, kind, id, shard, member, lots, body)
WHERE k.program = changed.program AND k.source = changed.source AND k.kind = changed.kind AND k.id = changed.id;

-- name: update_lots
UPDATE earning.lots l
SET points = changed.points, remaining = changed.remaining, available_at = changed.available_at,
    expires_at = changed.expires_at, due = changed.due, body = changed.body
FROM unnest(
    $1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[],
    $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::bytea[]
) AS changed (program, member, lot, points, remaining, available_at, expires_at, due, body)
WHERE l.program = changed.program AND l.member = changed.member AND l.lot = changed.lot;

-- name: standings_of_shard
SELECT program, member, body FROM earning.standings WHERE shard = $1;

-- name: keys_of_shard
SELECT program, source, kind, id, member, lots, body FROM earning.keys WHERE shard = $1;

-- name: lots_of_shard
SELECT shard, program, member, lot, source, kind, id, points, remaining, earned_at, available_at, expires_at, due, body
FROM earning.lots
WHERE shard = $1;

-- name: delete_standings
DELETE FROM earning.standings WHERE shard = $1;

-- name: delete_keys
DELETE FROM earning.keys WHERE shard = $1;

-- name: delete_lots
DELETE FROM earning.lots WHERE shard = $1;
