CREATE OR REPLACE VIEW loyalty.points_status WITH (security_invoker = true) AS
WITH zones AS MATERIALIZED (
    SELECT program, loyalty.time_zone(program) AS zone FROM (SELECT DISTINCT program FROM loyalty.balances) AS programs
), moved AS (
    SELECT h.program, (h.booked_at AT TIME ZONE z.zone)::date AS day,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'points.earned'), 0)::bigint AS earned,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'points.reversed'), 0)::bigint AS reversed,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'points.redeemed'), 0)::bigint AS redeemed,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'points.restored'), 0)::bigint AS restored,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'points.expired'), 0)::bigint AS expired,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'points.reinstated'), 0)::bigint AS reinstated,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'points.adjusted'), 0)::bigint AS adjusted,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'balance.imported'), 0)::bigint AS imported,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'import.reverted'), 0)::bigint AS reverted,
        coalesce(sum(h.net) FILTER (WHERE h.kind = 'deficit.forgiven'), 0)::bigint AS forgiven,
        sum(h.net)::bigint AS net,
        count(*) AS events
    FROM loyalty.history AS h
    JOIN zones AS z USING (program)
    GROUP BY h.program, day
), summed AS (
    SELECT moved.*, (sum(net) OVER (PARTITION BY program ORDER BY day))::bigint AS closing FROM moved
)
SELECT program, day, closing - net AS opening, earned, reversed, redeemed, restored, expired, reinstated, adjusted,
    imported, reverted, forgiven,
    net - earned - reversed - redeemed - restored - expired - reinstated - adjusted - imported - reverted - forgiven
        AS other,
    closing, events
FROM summed;
COMMENT ON VIEW loyalty.points_status IS
    'The books of each program by day: opening + all movements = closing. What is booked is available + pending - deficit; a day without events has no row; the last closing is the sum over all members'' balances.';
COMMENT ON COLUMN loyalty.points_status.program IS 'The loyalty program.';
COMMENT ON COLUMN loyalty.points_status.day IS 'The day on which it was decided, in the program''s time zone.';
COMMENT ON COLUMN loyalty.points_status.opening IS 'Points of all members as the day begins: the closing of the last day that has a row.';
COMMENT ON COLUMN loyalty.points_status.earned IS 'Points earned.';
COMMENT ON COLUMN loyalty.points_status.reversed IS 'Points taken back by refunds and cancels (negative), without those that had expired already.';
COMMENT ON COLUMN loyalty.points_status.redeemed IS 'Points spent (negative).';
COMMENT ON COLUMN loyalty.points_status.restored IS 'Points given back by cancelled redemptions.';
COMMENT ON COLUMN loyalty.points_status.expired IS 'Points expired (negative).';
COMMENT ON COLUMN loyalty.points_status.reinstated IS 'Expired points given back by an operator.';
COMMENT ON COLUMN loyalty.points_status.adjusted IS 'Points given or taken by hand.';
COMMENT ON COLUMN loyalty.points_status.imported IS 'Points brought in from another system.';
COMMENT ON COLUMN loyalty.points_status.reverted IS 'Imported points taken out again (negative), without those that had expired already.';
COMMENT ON COLUMN loyalty.points_status.forgiven IS 'Points owed that were let go.';
COMMENT ON COLUMN loyalty.points_status.other IS 'What events of other kinds moved; 0 but for kinds newer than this view.';
COMMENT ON COLUMN loyalty.points_status.closing IS 'Points of all members as the day ends.';
COMMENT ON COLUMN loyalty.points_status.events IS 'Point events booked on this day.';
GRANT SELECT ON loyalty.points_status TO analyst, api, projector;
