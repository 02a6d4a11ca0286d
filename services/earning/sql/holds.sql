-- Holds: whose members are not swept, and until when.

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
