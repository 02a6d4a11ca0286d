-- The whole schema of projections, as the migrations and repeatable files beside this one come to.
-- Written by `make schema`; nothing is made from it, it is for reading. A test holds it to what is true.

CREATE SCHEMA loyalty;

COMMENT ON SCHEMA loyalty IS 'Read models for analysts: names of views and columns are a contract, changes are additive.';

CREATE SCHEMA projections;

COMMENT ON SCHEMA projections IS 'The versioned tables behind the views of schema loyalty. Not a contract.';

CREATE FUNCTION loyalty.balance_at(program text, member text, instant timestamp with time zone) RETURNS TABLE(available bigint, pending bigint, deficit bigint, sequence bigint, booked_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT h.balance, h.pending, h.deficit, h.sequence, h.booked_at
    FROM loyalty.history AS h
    WHERE h.program = balance_at.program AND h.member = balance_at.member AND h.booked_at <= balance_at.instant
    ORDER BY h.sequence DESC
    LIMIT 1
$$;

COMMENT ON FUNCTION loyalty.balance_at(program text, member text, instant timestamp with time zone) IS 'A member''s points as they were at an instant, by what had been decided by then; no row: nothing had.';

CREATE FUNCTION loyalty.time_zone(program text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION loyalty.time_zone(program text) IS 'The time zone in which a program''s days begin: that of its newest version.';

CREATE TABLE projections.members_1 (
    partition integer NOT NULL,
    program text NOT NULL COLLATE pg_catalog."C",
    member text NOT NULL COLLATE pg_catalog."C",
    sequence bigint NOT NULL,
    booked_at timestamp with time zone NOT NULL,
    available bigint NOT NULL,
    pending bigint NOT NULL,
    deficit bigint NOT NULL,
    earned bigint NOT NULL,
    restored bigint NOT NULL,
    adjusted bigint NOT NULL,
    imported bigint NOT NULL,
    expired_reversed bigint NOT NULL,
    forgiven bigint NOT NULL,
    reinstated bigint NOT NULL,
    transferred_in bigint NOT NULL,
    transferred_out bigint NOT NULL,
    reversed bigint NOT NULL,
    redeemed bigint NOT NULL,
    expired bigint NOT NULL,
    reverted bigint NOT NULL,
    next_expiry_at timestamp with time zone,
    next_expiry_points bigint,
    tier text,
    tier_since timestamp with time zone,
    tier_until timestamp with time zone,
    qualifying numeric,
    to_next numeric,
    to_keep numeric
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.05');

COMMENT ON TABLE projections.members_1 IS 'One row a member: balances and tier after their latest point event.';

CREATE VIEW loyalty.balances WITH (security_invoker='true') AS
 SELECT program,
    member,
    available,
    pending,
    deficit,
    earned,
    restored,
    adjusted,
    imported,
    expired_reversed,
    forgiven,
    reinstated,
    transferred_in,
    transferred_out,
    reversed,
    redeemed,
    expired,
    reverted,
    next_expiry_at,
    next_expiry_points,
    booked_at,
    sequence
   FROM projections.members_1;

COMMENT ON VIEW loyalty.balances IS 'Points of each member after their latest point event. available + pending - deficit = earned + restored + adjusted + imported + expired_reversed + forgiven + reinstated + transferred_in - transferred_out - reversed - redeemed - expired - reverted.';

COMMENT ON COLUMN loyalty.balances.program IS 'The loyalty program.';

COMMENT ON COLUMN loyalty.balances.member IS 'The member, by the opaque id of the shop.';

COMMENT ON COLUMN loyalty.balances.available IS 'Points that can be spent now.';

COMMENT ON COLUMN loyalty.balances.pending IS 'Points earned that can not be spent yet.';

COMMENT ON COLUMN loyalty.balances.deficit IS 'Points owed: taken back after they were spent. Above 0 only when available is 0.';

COMMENT ON COLUMN loyalty.balances.earned IS 'Points ever earned; like all counters below it only grows.';

COMMENT ON COLUMN loyalty.balances.restored IS 'Points ever given back by cancelled redemptions.';

COMMENT ON COLUMN loyalty.balances.adjusted IS 'Sum of all adjustments; the one counter that can fall.';

COMMENT ON COLUMN loyalty.balances.imported IS 'Points ever brought in from another system.';

COMMENT ON COLUMN loyalty.balances.expired_reversed IS 'Expired points whose award was taken back afterwards: counted in reversed, not owed twice.';

COMMENT ON COLUMN loyalty.balances.forgiven IS 'Points owed that were forgiven.';

COMMENT ON COLUMN loyalty.balances.reinstated IS 'Expired points ever given back by an operator.';

COMMENT ON COLUMN loyalty.balances.transferred_in IS 'Points ever taken over from another account of the member.';

COMMENT ON COLUMN loyalty.balances.transferred_out IS 'Points ever handed over to another account of the member.';

COMMENT ON COLUMN loyalty.balances.reversed IS 'Points ever taken back by refunds and cancels.';

COMMENT ON COLUMN loyalty.balances.redeemed IS 'Points ever spent.';

COMMENT ON COLUMN loyalty.balances.expired IS 'Points ever expired.';

COMMENT ON COLUMN loyalty.balances.reverted IS 'Imported points ever taken out again.';

COMMENT ON COLUMN loyalty.balances.next_expiry_at IS 'When the next points expire. Not filled yet: always null.';

COMMENT ON COLUMN loyalty.balances.next_expiry_points IS 'How many points expire then. Not filled yet: always null.';

COMMENT ON COLUMN loyalty.balances.booked_at IS 'When the latest point event was decided.';

COMMENT ON COLUMN loyalty.balances.sequence IS 'Number of the latest point event of the member, counted from 1.';

CREATE TABLE projections.history_1 (
    partition integer NOT NULL,
    "position" bigint NOT NULL,
    program text NOT NULL COLLATE pg_catalog."C",
    member text NOT NULL COLLATE pg_catalog."C",
    sequence bigint NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    booked_at timestamp with time zone NOT NULL,
    change bigint NOT NULL,
    balance bigint NOT NULL,
    pending bigint NOT NULL,
    deficit bigint NOT NULL,
    net bigint NOT NULL,
    source text NOT NULL,
    key_kind text,
    key_id text,
    reason text,
    rules jsonb,
    card text,
    tier text,
    program_version integer NOT NULL,
    hash bytea NOT NULL
)
WITH (autovacuum_vacuum_insert_scale_factor='0.5');

COMMENT ON TABLE projections.history_1 IS 'One row a point event, in order of position.';

CREATE VIEW loyalty.history WITH (security_invoker='true') AS
 SELECT program,
    member,
    sequence,
    occurred_at,
    booked_at,
    kind,
        CASE kind
            WHEN 'points.earned'::text THEN ('earned: '::text || COALESCE(rules, 'no rule'::text))
            WHEN 'points.released'::text THEN 'can be spent now'::text
            WHEN 'points.reversed'::text THEN (('taken back: '::text || COALESCE(reason, ''::text)) || COALESCE(((' ('::text || rules) || ')'::text), ''::text))
            WHEN 'points.expired'::text THEN concat_ws(': '::text, 'expired', NULLIF(reason, 'expired'::text))
            WHEN 'points.redeemed'::text THEN concat_ws(' '::text, 'spent: redemption', key_id)
            WHEN 'points.restored'::text THEN concat_ws(' '::text, 'given back: redemption', key_id, 'cancelled')
            WHEN 'redemption.rejected'::text THEN ('redemption refused: '::text || COALESCE(reason, ''::text))
            WHEN 'points.adjusted'::text THEN ('by hand: '::text || COALESCE(reason, ''::text))
            WHEN 'points.reinstated'::text THEN ('expired, given back: '::text || COALESCE(reason, ''::text))
            WHEN 'deficit.forgiven'::text THEN ('debt let go: '::text || COALESCE(reason, ''::text))
            WHEN 'balance.imported'::text THEN concat_ws(' '::text, 'imported: row', key_id)
            WHEN 'import.reverted'::text THEN concat_ws(' '::text, 'import taken out: row', key_id)
            WHEN 'tier.changed'::text THEN ((('tier '::text || COALESCE(tier, ''::text)) || ': '::text) || COALESCE(reason, ''::text))
            WHEN 'tier.retained'::text THEN 'tier kept'::text
            WHEN 'stamp.collected'::text THEN ('stamps: '::text || COALESCE(rules, ''::text))
            WHEN 'stamp_card.completed'::text THEN ('stamp card full: '::text || COALESCE(rules, ''::text))
            WHEN 'referral.rewarded'::text THEN 'referral counts'::text
            WHEN 'referral.blocked'::text THEN ('referral refused: '::text || COALESCE(reason, ''::text))
            WHEN 'referral.reversed'::text THEN ('referral counts no more: '::text || COALESCE(reason, ''::text))
            WHEN 'points.transferred'::text THEN ('moved with a claimed id: '::text || COALESCE(key_id, ''::text))
            WHEN 'member.enrolled'::text THEN 'enrolled'::text
            WHEN 'member.closed'::text THEN 'membership ended'::text
            WHEN 'fact.recorded'::text THEN ('no points: '::text || COALESCE(reason, ''::text))
            ELSE concat_ws(': '::text, replace(kind, '.'::text, ' '::text), reason, rules)
        END AS why,
    change,
    balance,
    pending,
    deficit,
    net,
    source,
        CASE key_kind
            WHEN 'order'::text THEN key_id
            ELSE NULL::text
        END AS order_id,
    key_kind,
    key_id,
    reason,
    rules,
    tier,
    program_version,
    partition,
    "position",
    rules_json
   FROM ( SELECT history_1.partition,
            history_1."position",
            history_1.program,
            history_1.member,
            history_1.sequence,
            history_1.kind,
            history_1.occurred_at,
            history_1.booked_at,
            history_1.change,
            history_1.balance,
            history_1.pending,
            history_1.deficit,
            history_1.net,
            history_1.source,
            history_1.key_kind,
            history_1.key_id,
            history_1.reason,
            COALESCE(( SELECT string_agg(concat((shares.share ->> 'rule'::text), ' ', (shares.share ->> 'points'::text)), ', '::text ORDER BY shares.number) AS string_agg
                   FROM jsonb_array_elements(history_1.rules) WITH ORDINALITY shares(share, number)), history_1.card) AS rules,
            history_1.rules AS rules_json,
            history_1.tier,
            history_1.program_version
           FROM projections.history_1) history;

COMMENT ON VIEW loyalty.history IS 'One row a point event: what happened to a member''s points, why, and the balance after it.';

COMMENT ON COLUMN loyalty.history.program IS 'The loyalty program.';

COMMENT ON COLUMN loyalty.history.member IS 'The member, by the opaque id of the shop.';

COMMENT ON COLUMN loyalty.history.sequence IS 'Number of the event among the member''s, from 1 without gaps: order by this.';

COMMENT ON COLUMN loyalty.history.occurred_at IS 'When it happened, as told by the shop.';

COMMENT ON COLUMN loyalty.history.booked_at IS 'When it was decided: the day it belongs to in the books.';

COMMENT ON COLUMN loyalty.history.kind IS 'What it is: the event type without prefix and version, such as points.earned.';

COMMENT ON COLUMN loyalty.history.why IS 'Why, in words for people; reason and rules have it for programs.';

COMMENT ON COLUMN loyalty.history.change IS 'Change of the available points.';

COMMENT ON COLUMN loyalty.history.balance IS 'Resulting balance: available points after this event.';

COMMENT ON COLUMN loyalty.history.pending IS 'Pending points after this event.';

COMMENT ON COLUMN loyalty.history.deficit IS 'Points owed after this event.';

COMMENT ON COLUMN loyalty.history.net IS 'Change of available + pending - deficit.';

COMMENT ON COLUMN loyalty.history.source IS 'The shop that told us.';

COMMENT ON COLUMN loyalty.history.order_id IS 'The order it is about; null: not about an order.';

COMMENT ON COLUMN loyalty.history.key_kind IS 'Kind of the business key it is about: order, …; null: none.';

COMMENT ON COLUMN loyalty.history.key_id IS 'Id of the business key it is about.';

COMMENT ON COLUMN loyalty.history.reason IS 'Reason code of the event, where it has one.';

COMMENT ON COLUMN loyalty.history.rules IS 'Rules that gave or lost points, each with its points: base 98, dairy 2.';

COMMENT ON COLUMN loyalty.history.tier IS 'The tier after this event, where it changed.';

COMMENT ON COLUMN loyalty.history.program_version IS 'The version of the program that decided.';

COMMENT ON COLUMN loyalty.history.partition IS 'Partition of the points topic that holds the event.';

COMMENT ON COLUMN loyalty.history."position" IS 'Position of the event in its partition, from 1 without gaps.';

COMMENT ON COLUMN loyalty.history.rules_json IS 'The same for programs: a list of {"rule": …, "points": …}; null: no rule gave or lost points.';

CREATE VIEW loyalty.points_sources WITH (security_invoker='true') AS
 SELECT h.program,
    h.source,
    COALESCE(h.key_kind, ''::text) AS kind,
    share.rule,
    (COALESCE(sum(share.points) FILTER (WHERE (h.kind = 'points.earned'::text)), (0)::numeric))::bigint AS earned,
    (COALESCE(sum(share.points) FILTER (WHERE (h.kind = 'points.reversed'::text)), (0)::numeric))::bigint AS reversed,
    count(*) FILTER (WHERE (h.kind = 'points.earned'::text)) AS awards
   FROM (loyalty.history h
     CROSS JOIN LATERAL jsonb_to_recordset(h.rules_json) share(rule text, points bigint))
  WHERE (h.kind = ANY (ARRAY['points.earned'::text, 'points.reversed'::text]))
  GROUP BY h.program, h.source, COALESCE(h.key_kind, ''::text), share.rule;

COMMENT ON VIEW loyalty.points_sources IS 'Where points come from: by shop, kind of fact and rule.';

COMMENT ON COLUMN loyalty.points_sources.program IS 'The loyalty program.';

COMMENT ON COLUMN loyalty.points_sources.source IS 'The shop.';

COMMENT ON COLUMN loyalty.points_sources.kind IS 'What was rewarded: order, entry_bonus, ….';

COMMENT ON COLUMN loyalty.points_sources.rule IS 'The rule of the program that gave the points.';

COMMENT ON COLUMN loyalty.points_sources.earned IS 'Points it gave.';

COMMENT ON COLUMN loyalty.points_sources.reversed IS 'Points of it that were taken back.';

COMMENT ON COLUMN loyalty.points_sources.awards IS 'How many times it gave points.';

CREATE VIEW loyalty.points_status WITH (security_invoker='true') AS
 WITH zones AS MATERIALIZED (
         SELECT programs.program,
            loyalty.time_zone(programs.program) AS zone
           FROM ( SELECT DISTINCT balances.program
                   FROM loyalty.balances) programs
        ), moved AS (
         SELECT h.program,
            ((h.booked_at AT TIME ZONE z.zone))::date AS day,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'points.earned'::text)), (0)::numeric))::bigint AS earned,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'points.reversed'::text)), (0)::numeric))::bigint AS reversed,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'points.redeemed'::text)), (0)::numeric))::bigint AS redeemed,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'points.restored'::text)), (0)::numeric))::bigint AS restored,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'points.expired'::text)), (0)::numeric))::bigint AS expired,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'points.reinstated'::text)), (0)::numeric))::bigint AS reinstated,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'points.adjusted'::text)), (0)::numeric))::bigint AS adjusted,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'balance.imported'::text)), (0)::numeric))::bigint AS imported,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'import.reverted'::text)), (0)::numeric))::bigint AS reverted,
            (COALESCE(sum(h.net) FILTER (WHERE (h.kind = 'deficit.forgiven'::text)), (0)::numeric))::bigint AS forgiven,
            (sum(h.net))::bigint AS net,
            count(*) AS events
           FROM (loyalty.history h
             JOIN zones z USING (program))
          GROUP BY h.program, (((h.booked_at AT TIME ZONE z.zone))::date)
        ), summed AS (
         SELECT moved.program,
            moved.day,
            moved.earned,
            moved.reversed,
            moved.redeemed,
            moved.restored,
            moved.expired,
            moved.reinstated,
            moved.adjusted,
            moved.imported,
            moved.reverted,
            moved.forgiven,
            moved.net,
            moved.events,
            (sum(moved.net) OVER (PARTITION BY moved.program ORDER BY moved.day))::bigint AS closing
           FROM moved
        )
 SELECT program,
    day,
    (closing - net) AS opening,
    earned,
    reversed,
    redeemed,
    restored,
    expired,
    reinstated,
    adjusted,
    imported,
    reverted,
    forgiven,
    ((((((((((net - earned) - reversed) - redeemed) - restored) - expired) - reinstated) - adjusted) - imported) - reverted) - forgiven) AS other,
    closing,
    events
   FROM summed;

COMMENT ON VIEW loyalty.points_status IS 'The books of each program by day: opening + all movements = closing. What is booked is available + pending - deficit; a day without events has no row; the last closing is the sum over all members'' balances.';

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

CREATE VIEW loyalty.program_metrics WITH (security_invoker='true') AS
 SELECT program,
    count(*) AS members,
    count(*) FILTER (WHERE (booked_at >= (now() - '90 days'::interval))) AS active_members,
    count(*) FILTER (WHERE (redeemed > restored)) AS redeeming_members,
    (sum(available))::bigint AS available,
    (sum(pending))::bigint AS pending,
    (sum(deficit))::bigint AS deficit,
    (sum((earned - reversed)))::bigint AS earned,
    (sum((redeemed - restored)))::bigint AS redeemed,
    (sum((expired - reinstated)))::bigint AS expired,
    round((sum((redeemed - restored)) / NULLIF(sum(((((earned - reversed) + imported) - reverted) + adjusted)), (0)::numeric)), 4) AS redemption_rate
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

COMMENT ON COLUMN loyalty.program_metrics.redemption_rate IS 'Redeemed (net) as a part of all points ever given: earned, imported and adjusted, each net. Null: none were given.';

CREATE VIEW loyalty.redemptions WITH (security_invoker='true') AS
 SELECT program,
    member,
    source,
    key_id AS redemption_id,
        CASE
            WHEN bool_or((kind = 'redemption.rejected'::text)) THEN 'rejected'::text
            WHEN (COALESCE(sum(net) FILTER (WHERE (kind = 'points.restored'::text)), (0)::numeric) = (0)::numeric) THEN 'redeemed'::text
            WHEN (sum(net) = (0)::numeric) THEN 'cancelled'::text
            ELSE 'partly_cancelled'::text
        END AS status,
    (COALESCE((- sum(net) FILTER (WHERE (kind = 'points.redeemed'::text))), (0)::numeric))::bigint AS points,
    (COALESCE(sum(net) FILTER (WHERE (kind = 'points.restored'::text)), (0)::numeric))::bigint AS restored,
    min(reason) FILTER (WHERE (kind = 'redemption.rejected'::text)) AS reason,
    min(occurred_at) FILTER (WHERE (kind = ANY (ARRAY['points.redeemed'::text, 'redemption.rejected'::text]))) AS requested_at,
    min(booked_at) FILTER (WHERE (kind = ANY (ARRAY['points.redeemed'::text, 'redemption.rejected'::text]))) AS decided_at,
    max(booked_at) FILTER (WHERE (kind = 'points.restored'::text)) AS restored_at
   FROM loyalty.history
  WHERE ((key_kind = 'redemption'::text) AND (kind = ANY (ARRAY['points.redeemed'::text, 'redemption.rejected'::text, 'points.restored'::text])))
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

CREATE VIEW loyalty.tiers WITH (security_invoker='true') AS
 SELECT program,
    member,
    tier,
    tier_since AS since,
    tier_until AS valid_until,
    qualifying,
    to_next,
    to_keep,
    booked_at
   FROM projections.members_1
  WHERE ((tier IS NOT NULL) OR (qualifying IS NOT NULL));

COMMENT ON VIEW loyalty.tiers IS 'Tier of each member who holds one, or for whom anything counts towards one.';

COMMENT ON COLUMN loyalty.tiers.program IS 'The loyalty program.';

COMMENT ON COLUMN loyalty.tiers.member IS 'The member, by the opaque id of the shop.';

COMMENT ON COLUMN loyalty.tiers.tier IS 'The tier held; null: none reached yet, the program''s base.';

COMMENT ON COLUMN loyalty.tiers.since IS 'Since when it is held; null: none reached yet.';

COMMENT ON COLUMN loyalty.tiers.valid_until IS 'How long it holds at least; null: for ever.';

COMMENT ON COLUMN loyalty.tiers.qualifying IS 'What counts for the tier in the present window: points, money or orders, by the program''s measure.';

COMMENT ON COLUMN loyalty.tiers.to_next IS 'How much more leads to the next tier; null: there is none.';

COMMENT ON COLUMN loyalty.tiers.to_keep IS 'How much more keeps this tier beyond valid_until; null: nothing.';

COMMENT ON COLUMN loyalty.tiers.booked_at IS 'When the member''s latest point event was decided.';

CREATE VIEW loyalty.top_earners WITH (security_invoker='true') AS
 SELECT program,
    rank() OVER (PARTITION BY program ORDER BY (earned - reversed) DESC) AS rank,
    member,
    (earned - reversed) AS points,
    earned,
    reversed,
    available
   FROM loyalty.balances;

COMMENT ON VIEW loyalty.top_earners IS 'Members by what they earned, net of what was taken back; take those up to a rank.';

COMMENT ON COLUMN loyalty.top_earners.program IS 'The loyalty program.';

COMMENT ON COLUMN loyalty.top_earners.rank IS 'Place among the program''s members, from 1; equal ones share it.';

COMMENT ON COLUMN loyalty.top_earners.member IS 'The member, by the opaque id of the shop.';

COMMENT ON COLUMN loyalty.top_earners.points IS 'Points earned, net of what was taken back.';

COMMENT ON COLUMN loyalty.top_earners.earned IS 'Points ever earned.';

COMMENT ON COLUMN loyalty.top_earners.reversed IS 'Points ever taken back by refunds and cancels.';

COMMENT ON COLUMN loyalty.top_earners.available IS 'Points that can be spent now.';

CREATE TABLE projections.dead_letters (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    text text NOT NULL,
    field text NOT NULL,
    key bytea,
    value bytea,
    headers bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    relayed_at timestamp with time zone,
    discarded_at timestamp with time zone,
    discarded_why text,
    CONSTRAINT discarded_with_a_reason CHECK (((discarded_at IS NULL) = (discarded_why IS NULL)))
);

COMMENT ON TABLE projections.dead_letters IS 'Records on the points topic that earning did not write. They take no position; relayed to the dead-letter topic.';

COMMENT ON COLUMN projections.dead_letters.topic IS 'Where the record was found.';

COMMENT ON COLUMN projections.dead_letters.partition IS 'Its partition.';

COMMENT ON COLUMN projections.dead_letters."offset" IS 'Its offset.';

COMMENT ON COLUMN projections.dead_letters.reason IS 'Reason code; see docs/reference/reason-codes.md.';

COMMENT ON COLUMN projections.dead_letters.text IS 'What is wrong with it, for people.';

COMMENT ON COLUMN projections.dead_letters.field IS 'Path of the field at fault; empty where no single one is.';

COMMENT ON COLUMN projections.dead_letters.key IS 'The record''s key, as it was.';

COMMENT ON COLUMN projections.dead_letters.value IS 'The record''s value, as it was.';

COMMENT ON COLUMN projections.dead_letters.headers IS 'Its headers: MessagePack list of [name, bytes or nil].';

COMMENT ON COLUMN projections.dead_letters.received_at IS 'The record''s timestamp.';

COMMENT ON COLUMN projections.dead_letters.recorded_at IS 'When it was set aside (database clock).';

COMMENT ON COLUMN projections.dead_letters.relayed_at IS 'When it was published on the dead-letter topic; null: not yet.';

COMMENT ON COLUMN projections.dead_letters.discarded_at IS 'When an operator decided that nothing comes of it; null: never.';

COMMENT ON COLUMN projections.dead_letters.discarded_why IS 'Why, in the operator''s words; no personal data.';

CREATE TABLE projections.generation (
    only_one boolean DEFAULT true NOT NULL,
    current integer NOT NULL,
    partitions integer,
    CONSTRAINT generation_current_check CHECK ((current > 0)),
    CONSTRAINT generation_only_one_check CHECK (only_one),
    CONSTRAINT generation_partitions_check CHECK ((partitions > 0))
);

COMMENT ON TABLE projections.generation IS 'One row: which tables the views show, and how the points topic is split.';

COMMENT ON COLUMN projections.generation.only_one IS 'Always true: there is one row.';

COMMENT ON COLUMN projections.generation.current IS 'Suffix of the tables that the views show.';

COMMENT ON COLUMN projections.generation.partitions IS 'Partitions of the points topic, as found at the first start; another count is refused from then on.';

CREATE TABLE projections.positions_1 (
    partition integer NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    hash bytea DEFAULT '\x'::bytea NOT NULL,
    next_offset bigint DEFAULT 0 NOT NULL,
    successor integer
)
WITH (fillfactor='10', autovacuum_vacuum_threshold='1000');

COMMENT ON TABLE projections.positions_1 IS 'The fence: how far each partition is folded into the tables of this generation; locked by who writes them.';

ALTER TABLE ONLY projections.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (topic, partition, "offset");

ALTER TABLE ONLY projections.generation
    ADD CONSTRAINT generation_pkey PRIMARY KEY (only_one);

ALTER TABLE ONLY projections.history_1
    ADD CONSTRAINT history_1_pkey PRIMARY KEY (program, member, sequence, partition);

ALTER TABLE ONLY projections.members_1
    ADD CONSTRAINT members_1_pkey PRIMARY KEY (program, member, partition);

ALTER TABLE ONLY projections.positions_1
    ADD CONSTRAINT positions_1_pkey PRIMARY KEY (partition);

CREATE INDEX dead_letters_open ON projections.dead_letters USING btree (reason) WHERE (discarded_at IS NULL);

CREATE INDEX dead_letters_unrelayed ON projections.dead_letters USING btree (topic, partition, "offset") WHERE (relayed_at IS NULL);

GRANT USAGE ON SCHEMA loyalty TO analyst;
GRANT USAGE ON SCHEMA loyalty TO api;
GRANT USAGE ON SCHEMA loyalty TO projector;
GRANT USAGE ON SCHEMA loyalty TO earning;

GRANT USAGE ON SCHEMA projections TO projector;

REVOKE ALL ON FUNCTION loyalty.balance_at(program text, member text, instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION loyalty.balance_at(program text, member text, instant timestamp with time zone) TO analyst;
GRANT ALL ON FUNCTION loyalty.balance_at(program text, member text, instant timestamp with time zone) TO api;
GRANT ALL ON FUNCTION loyalty.balance_at(program text, member text, instant timestamp with time zone) TO projector;

REVOKE ALL ON FUNCTION loyalty.time_zone(program text) FROM PUBLIC;
GRANT ALL ON FUNCTION loyalty.time_zone(program text) TO analyst;
GRANT ALL ON FUNCTION loyalty.time_zone(program text) TO api;
GRANT ALL ON FUNCTION loyalty.time_zone(program text) TO projector;

GRANT SELECT ON TABLE projections.members_1 TO analyst;
GRANT SELECT ON TABLE projections.members_1 TO api;
GRANT SELECT,INSERT,UPDATE ON TABLE projections.members_1 TO projector;

GRANT SELECT ON TABLE loyalty.balances TO analyst;
GRANT SELECT ON TABLE loyalty.balances TO api;
GRANT SELECT ON TABLE loyalty.balances TO projector;

GRANT SELECT ON TABLE projections.history_1 TO analyst;
GRANT SELECT ON TABLE projections.history_1 TO api;
GRANT SELECT,INSERT ON TABLE projections.history_1 TO projector;

GRANT SELECT ON TABLE loyalty.history TO analyst;
GRANT SELECT ON TABLE loyalty.history TO api;
GRANT SELECT ON TABLE loyalty.history TO projector;

GRANT SELECT ON TABLE loyalty.points_sources TO analyst;
GRANT SELECT ON TABLE loyalty.points_sources TO api;
GRANT SELECT ON TABLE loyalty.points_sources TO projector;

GRANT SELECT ON TABLE loyalty.points_status TO analyst;
GRANT SELECT ON TABLE loyalty.points_status TO api;
GRANT SELECT ON TABLE loyalty.points_status TO projector;

GRANT SELECT ON TABLE loyalty.program_metrics TO analyst;
GRANT SELECT ON TABLE loyalty.program_metrics TO api;
GRANT SELECT ON TABLE loyalty.program_metrics TO projector;

GRANT SELECT ON TABLE loyalty.redemptions TO analyst;
GRANT SELECT ON TABLE loyalty.redemptions TO api;
GRANT SELECT ON TABLE loyalty.redemptions TO projector;

GRANT SELECT ON TABLE loyalty.tiers TO analyst;
GRANT SELECT ON TABLE loyalty.tiers TO api;
GRANT SELECT ON TABLE loyalty.tiers TO projector;

GRANT SELECT ON TABLE loyalty.top_earners TO analyst;
GRANT SELECT ON TABLE loyalty.top_earners TO api;
GRANT SELECT ON TABLE loyalty.top_earners TO projector;

GRANT SELECT,INSERT,UPDATE ON TABLE projections.dead_letters TO projector;

GRANT SELECT,UPDATE ON TABLE projections.generation TO projector;

GRANT SELECT,INSERT,UPDATE ON TABLE projections.positions_1 TO projector;
