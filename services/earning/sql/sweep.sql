-- name: new_versions
-- By shard and program: the newest version that has taken force by then, and from when the first did that the shard
-- was not marked for. A program's first version takes force before anybody is a member.
SELECT s.shard, v.program, max(v.version) AS version, min(v.in_force_from) AS "from"
FROM unnest($1::integer[]) AS s (shard)
CROSS JOIN earning.program_versions v
LEFT JOIN earning.version_sweeps done ON done.shard = s.shard AND done.program = v.program
WHERE v.version > greatest(1, coalesce(done.version, 1)) AND v.in_force_from <= $2 AND v.program <> ALL ($3::text[])
GROUP BY s.shard, v.program
ORDER BY s.shard, v.program;

-- name: mark_due
UPDATE earning.standings
SET next_due = $3
WHERE shard = $1 AND program = $2 AND (next_due IS NULL OR next_due > $3);

-- name: marked
INSERT INTO earning.version_sweeps (shard, program, version) VALUES ($1, $2, $3)
ON CONFLICT (shard, program) DO UPDATE SET version = excluded.version;

-- name: due
SELECT program, member, body
FROM earning.standings
WHERE shard = $1 AND next_due <= $2 AND program <> ALL ($3::text[])
ORDER BY next_due, program, member
LIMIT $4;

-- name: look_again
UPDATE earning.standings s
SET next_due = looked.next_due
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS looked (program, member, next_due)
WHERE s.program = looked.program AND s.member = looked.member;
