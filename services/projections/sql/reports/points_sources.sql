CREATE OR REPLACE VIEW loyalty.points_sources WITH (security_invoker = true) AS
SELECT h.program, h.source, coalesce(h.key_kind, '') AS kind, share.rule,
    coalesce(sum(share.points) FILTER (WHERE h.kind = 'points.earned'), 0)::bigint AS earned,
    coalesce(sum(share.points) FILTER (WHERE h.kind = 'points.reversed'), 0)::bigint AS reversed,
    count(*) FILTER (WHERE h.kind = 'points.earned') AS awards
FROM loyalty.history AS h
CROSS JOIN LATERAL jsonb_to_recordset(h.rules_json) AS share (rule text, points bigint)
WHERE h.kind IN ('points.earned', 'points.reversed')
GROUP BY h.program, h.source, coalesce(h.key_kind, ''), share.rule;
COMMENT ON VIEW loyalty.points_sources IS 'Where points come from: by shop, kind of fact and rule.';
COMMENT ON COLUMN loyalty.points_sources.program IS 'The loyalty program.';
COMMENT ON COLUMN loyalty.points_sources.source IS 'The shop.';
COMMENT ON COLUMN loyalty.points_sources.kind IS 'What was rewarded: order, entry_bonus, ….';
COMMENT ON COLUMN loyalty.points_sources.rule IS 'The rule of the program that gave the points.';
COMMENT ON COLUMN loyalty.points_sources.earned IS 'Points it gave.';
COMMENT ON COLUMN loyalty.points_sources.reversed IS 'Points of it that were taken back.';
COMMENT ON COLUMN loyalty.points_sources.awards IS 'How many times it gave points.';
GRANT SELECT ON loyalty.points_sources TO analyst, api, projector;
