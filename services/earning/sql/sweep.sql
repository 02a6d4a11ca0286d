-- name: fences
-- A partition that has not moved for a while: whether it is at its end is for the caller to ask Kafka, before this.
SELECT topic, partition, stored, received_at_last, moved_at < now() - $2::interval AS idle, now() AS present
FROM earning.fences
WHERE topic = ANY ($1::text[]);

-- name: held
SELECT DISTINCT program FROM earning.sweep_holds WHERE until > now();

-- name: clear_holds
-- Terms that are over, and publications that are decided to their end.
DELETE FROM earning.sweep_holds h
WHERE h.until <= now() OR (h.ends IS NOT NULL AND NOT EXISTS (
    SELECT FROM unnest(h.topics, h.partitions, h.ends) AS published (topic, partition, "end")
    LEFT JOIN earning.fences f USING (topic, partition)
    WHERE coalesce(f.stored, 0) < published."end"
));

-- name: hold
INSERT INTO earning.sweep_holds (program, holder, until)
SELECT program, $2, now() + $3::interval FROM unnest($1::text[]) AS held (program)
ON CONFLICT (program, holder) DO UPDATE SET until = excluded.until;

-- name: hold_to_the_end
UPDATE earning.sweep_holds
SET until = 'infinity', topics = $3, partitions = $4, ends = $5
WHERE program = ANY ($1::text[]) AND holder = $2;

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
