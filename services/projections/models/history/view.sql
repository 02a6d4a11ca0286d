CREATE OR REPLACE VIEW loyalty.history WITH (security_invoker = true) AS
SELECT program, member, sequence, occurred_at, booked_at, kind,
    CASE kind
        WHEN 'points.earned' THEN 'earned: ' || coalesce(rules, 'no rule')
        WHEN 'points.released' THEN 'can be spent now'
        WHEN 'points.reversed' THEN 'taken back: ' || coalesce(reason, '') || coalesce(' (' || rules || ')', '')
        WHEN 'points.expired' THEN concat_ws(': ', 'expired', nullif(reason, 'expired'))
        WHEN 'points.redeemed' THEN concat_ws(' ', 'spent: redemption', key_id)
        WHEN 'points.restored' THEN concat_ws(' ', 'given back: redemption', key_id, 'cancelled')
        WHEN 'redemption.rejected' THEN 'redemption refused: ' || coalesce(reason, '')
        WHEN 'points.adjusted' THEN 'by hand: ' || coalesce(reason, '')
        WHEN 'points.reinstated' THEN 'expired, given back: ' || coalesce(reason, '')
        WHEN 'deficit.forgiven' THEN 'debt let go: ' || coalesce(reason, '')
        WHEN 'balance.imported' THEN concat_ws(' ', 'imported: row', key_id)
        WHEN 'import.reverted' THEN concat_ws(' ', 'import taken out: row', key_id)
        WHEN 'tier.changed' THEN 'tier ' || coalesce(tier, '') || ': ' || coalesce(reason, '')
        WHEN 'tier.retained' THEN 'tier kept'
        WHEN 'stamp.collected' THEN 'stamps: ' || coalesce(rules, '')
        WHEN 'stamp_card.completed' THEN 'stamp card full: ' || coalesce(rules, '')
        WHEN 'referral.rewarded' THEN 'referral counts'
        WHEN 'referral.blocked' THEN 'referral refused: ' || coalesce(reason, '')
        WHEN 'referral.reversed' THEN 'referral counts no more: ' || coalesce(reason, '')
        WHEN 'points.transferred' THEN 'moved with a claimed id: ' || coalesce(key_id, '')
        WHEN 'member.enrolled' THEN 'enrolled'
        WHEN 'member.closed' THEN 'membership ended'
        WHEN 'fact.recorded' THEN 'no points: ' || coalesce(reason, '')
        ELSE concat_ws(': ', replace(kind, '.', ' '), reason, rules)
    END AS why,
    change, balance, pending, deficit, net, source, CASE key_kind WHEN 'order' THEN key_id END AS order_id,
    key_kind, key_id, reason, rules, tier, program_version, partition, position, rules_json
FROM (
    SELECT partition, position, program, member, sequence, kind, occurred_at, booked_at, change, balance, pending,
        deficit, net, source, key_kind, key_id, reason, coalesce(
            (
                SELECT string_agg(concat(share ->> 'rule', ' ', share ->> 'points'), ', ' ORDER BY number)
                FROM jsonb_array_elements(rules) WITH ORDINALITY AS shares (share, number)
            ),
            card
        ) AS rules, rules AS rules_json, tier, program_version
    FROM projections.history_{generation}
) AS history;
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
COMMENT ON COLUMN loyalty.history.position IS 'Position of the event in its partition, from 1 without gaps.';
COMMENT ON COLUMN loyalty.history.rules_json IS 'The same for programs: a list of {"rule": …, "points": …}; null: no rule gave or lost points.';
GRANT SELECT ON loyalty.history TO analyst, api, projector;
