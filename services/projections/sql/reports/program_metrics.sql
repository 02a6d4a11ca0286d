CREATE OR REPLACE VIEW loyalty.program_metrics WITH (security_invoker = true) AS
SELECT program, count(*) AS members,
    count(*) FILTER (WHERE booked_at >= now() - interval '90 days') AS active_members,
    count(*) FILTER (WHERE redeemed > restored) AS redeeming_members,
    sum(available)::bigint AS available, sum(pending)::bigint AS pending, sum(deficit)::bigint AS deficit,
    sum(earned - reversed)::bigint AS earned, sum(redeemed - restored)::bigint AS redeemed,
    sum(expired - reinstated)::bigint AS expired,
    round(sum(redeemed - restored) / nullif(sum(earned - reversed + imported - reverted + adjusted), 0), 4)
        AS redemption_rate
FROM loyalty.balances
GROUP BY program;
COMMENT ON VIEW loyalty.program_metrics IS 'A program in a few numbers.';
COMMENT ON COLUMN loyalty.program_metrics.program IS 'The loyalty program.';
COMMENT ON COLUMN loyalty.program_metrics.members IS 'Members of whom anything is known.';
COMMENT ON COLUMN loyalty.program_metrics.active_members IS 'Members with a point event of any kind in the last 90 days, by when it was decided.';
COMMENT ON COLUMN loyalty.program_metrics.redeeming_members IS 'Members who have spent points and not had all of them back.';
COMMENT ON COLUMN loyalty.program_metrics.available IS 'Points that can be spent now.';
COMMENT ON COLUMN loyalty.program_metrics.pending IS 'Points that can not be spent yet.';
COMMENT ON COLUMN loyalty.program_metrics.deficit IS 'Points owed.';
COMMENT ON COLUMN loyalty.program_metrics.earned IS 'Points ever earned, net of what was taken back.';
COMMENT ON COLUMN loyalty.program_metrics.redeemed IS 'Points ever spent, net of cancelled redemptions.';
COMMENT ON COLUMN loyalty.program_metrics.expired IS 'Points ever expired, net of what was given back.';
COMMENT ON COLUMN loyalty.program_metrics.redemption_rate IS
    'Redeemed (net) as a part of all points ever given: earned, imported and adjusted, each net. Null: none were given.';
GRANT SELECT ON loyalty.program_metrics TO analyst, api, projector;
