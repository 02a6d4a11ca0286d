-- Reports: what a program asks of its books, as views over history and balances.
--
-- They are views over views, so a rebuild that puts those over new tables takes them along, and they can't say anything
-- else than the rows they add up. Each reads a program's whole history: they are for reports, not for pages that wait.
SET LOCAL ROLE loyalty_owner;

-- The books' days are the program's; its time zone is in the registry, and readers see nothing else of that.
CREATE FUNCTION loyalty.time_zone(program text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        (
            SELECT v.document::jsonb ->> 'time_zone'
            FROM earning.program_versions v
            WHERE v.program = time_zone.program
            ORDER BY v.version DESC
            LIMIT 1
        ),
        'UTC'
    )
$$;
COMMENT ON FUNCTION loyalty.time_zone IS 'The time zone in which a program''s days begin: that of its newest version.';
REVOKE ALL ON FUNCTION loyalty.time_zone FROM PUBLIC;
GRANT EXECUTE ON FUNCTION loyalty.time_zone TO analyst, api, projector;

CREATE VIEW loyalty.points_status WITH (security_invoker = true) AS
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

CREATE VIEW loyalty.redemptions WITH (security_invoker = true) AS
SELECT program, member, source, key_id AS redemption_id,
    CASE
        WHEN bool_or(kind = 'redemption.rejected') THEN 'rejected'
        WHEN coalesce(sum(net) FILTER (WHERE kind = 'points.restored'), 0) = 0 THEN 'redeemed'
        WHEN sum(net) = 0 THEN 'cancelled'
        ELSE 'partly_cancelled'
    END AS status,
    coalesce(-sum(net) FILTER (WHERE kind = 'points.redeemed'), 0)::bigint AS points,
    coalesce(sum(net) FILTER (WHERE kind = 'points.restored'), 0)::bigint AS restored,
    min(reason) FILTER (WHERE kind = 'redemption.rejected') AS reason,
    min(occurred_at) FILTER (WHERE kind IN ('points.redeemed', 'redemption.rejected')) AS requested_at,
    min(booked_at) FILTER (WHERE kind IN ('points.redeemed', 'redemption.rejected')) AS decided_at,
    max(booked_at) FILTER (WHERE kind = 'points.restored') AS restored_at
FROM loyalty.history
WHERE key_kind = 'redemption' AND kind IN ('points.redeemed', 'redemption.rejected', 'points.restored')
GROUP BY program, member, source, key_id;
COMMENT ON VIEW loyalty.redemptions IS 'What became of each redemption that was decided.';
COMMENT ON COLUMN loyalty.redemptions.program IS 'The loyalty program.';
COMMENT ON COLUMN loyalty.redemptions.member IS 'The member, by the opaque id of the shop.';
COMMENT ON COLUMN loyalty.redemptions.source IS 'The shop that asked.';
COMMENT ON COLUMN loyalty.redemptions.redemption_id IS 'The shop''s id of the redemption.';
COMMENT ON COLUMN loyalty.redemptions.status IS 'redeemed, rejected, cancelled, or partly_cancelled.';
COMMENT ON COLUMN loyalty.redemptions.points IS 'Points it took; 0 where it was rejected.';
COMMENT ON COLUMN loyalty.redemptions.restored IS 'Points its cancels gave back.';
COMMENT ON COLUMN loyalty.redemptions.reason IS 'Why it was rejected: a reason code.';
COMMENT ON COLUMN loyalty.redemptions.requested_at IS 'When it was asked for, as told by the shop.';
COMMENT ON COLUMN loyalty.redemptions.decided_at IS 'When it was decided.';
COMMENT ON COLUMN loyalty.redemptions.restored_at IS 'When its last cancel was decided; null: none was.';

CREATE VIEW loyalty.points_sources WITH (security_invoker = true) AS
SELECT h.program, h.source, coalesce(h.key_kind, '') AS kind, share.parts[1] AS rule,
    coalesce(sum(share.parts[2]::bigint) FILTER (WHERE h.kind = 'points.earned'), 0)::bigint AS earned,
    coalesce(sum(share.parts[2]::bigint) FILTER (WHERE h.kind = 'points.reversed'), 0)::bigint AS reversed,
    count(*) FILTER (WHERE h.kind = 'points.earned') AS awards
FROM loyalty.history AS h
CROSS JOIN LATERAL string_to_table(h.rules, ', ') AS told (text)
CROSS JOIN LATERAL regexp_match(told.text, '^(.*) (-?\d+)$') AS share (parts)
WHERE h.kind IN ('points.earned', 'points.reversed')
GROUP BY h.program, h.source, coalesce(h.key_kind, ''), share.parts[1];
COMMENT ON VIEW loyalty.points_sources IS 'Where points come from: by shop, kind of fact and rule.';
COMMENT ON COLUMN loyalty.points_sources.program IS 'The loyalty program.';
COMMENT ON COLUMN loyalty.points_sources.source IS 'The shop.';
COMMENT ON COLUMN loyalty.points_sources.kind IS 'What was rewarded: order, entry_bonus, ….';
COMMENT ON COLUMN loyalty.points_sources.rule IS 'The rule of the program that gave the points.';
COMMENT ON COLUMN loyalty.points_sources.earned IS 'Points it gave.';
COMMENT ON COLUMN loyalty.points_sources.reversed IS 'Points of it that were taken back.';
COMMENT ON COLUMN loyalty.points_sources.awards IS 'How many times it gave points.';

CREATE VIEW loyalty.top_earners WITH (security_invoker = true) AS
SELECT program, rank() OVER (PARTITION BY program ORDER BY earned - reversed DESC) AS rank, member,
    earned - reversed AS points, earned, reversed, available
FROM loyalty.balances;
COMMENT ON VIEW loyalty.top_earners IS 'Members by what they earned, net of what was taken back; take those up to a rank.';
COMMENT ON COLUMN loyalty.top_earners.program IS 'The loyalty program.';
COMMENT ON COLUMN loyalty.top_earners.rank IS 'Place among the program''s members, from 1; equal ones share it.';
COMMENT ON COLUMN loyalty.top_earners.member IS 'The member, by the opaque id of the shop.';
COMMENT ON COLUMN loyalty.top_earners.points IS 'Points earned, net of what was taken back.';
COMMENT ON COLUMN loyalty.top_earners.earned IS 'Points ever earned.';
COMMENT ON COLUMN loyalty.top_earners.reversed IS 'Points ever taken back by refunds and cancels.';
COMMENT ON COLUMN loyalty.top_earners.available IS 'Points that can be spent now.';

CREATE VIEW loyalty.program_metrics WITH (security_invoker = true) AS
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

CREATE FUNCTION loyalty.balance_at(program text, member text, instant timestamptz)
RETURNS TABLE (available bigint, pending bigint, deficit bigint, sequence bigint, booked_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.balance, h.pending, h.deficit, h.sequence, h.booked_at
    FROM loyalty.history AS h
    WHERE h.program = balance_at.program AND h.member = balance_at.member AND h.booked_at <= balance_at.instant
    ORDER BY h.sequence DESC
    LIMIT 1
$$;
COMMENT ON FUNCTION loyalty.balance_at IS
    'A member''s points as they were at an instant, by what had been decided by then; no row: nothing had.';
REVOKE ALL ON FUNCTION loyalty.balance_at FROM PUBLIC;
GRANT EXECUTE ON FUNCTION loyalty.balance_at TO analyst, api, projector;

GRANT SELECT ON loyalty.points_status, loyalty.redemptions, loyalty.points_sources, loyalty.top_earners,
    loyalty.program_metrics TO analyst, api, projector;

RESET ROLE;
