-- History in words, once more: points that move with a member whose id was claimed.
SET LOCAL ROLE loyalty_owner;

CREATE OR REPLACE FUNCTION projections.show(generation integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format($view$
        CREATE OR REPLACE VIEW loyalty.balances WITH (security_invoker = true) AS
        SELECT program, member, available, pending, deficit, earned, restored, adjusted, imported, expired_reversed,
            forgiven, reinstated, transferred_in, transferred_out, reversed, redeemed, expired, reverted,
            next_expiry_at, next_expiry_points, booked_at, sequence
        FROM projections.members_%1$s$view$, generation);
    EXECUTE format($view$
        CREATE OR REPLACE VIEW loyalty.tiers WITH (security_invoker = true) AS
        SELECT program, member, tier, tier_since AS since, tier_until AS valid_until, qualifying, to_next, to_keep,
            booked_at
        FROM projections.members_%1$s
        WHERE tier IS NOT NULL OR qualifying IS NOT NULL$view$, generation);
    EXECUTE format($view$
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
            key_kind, key_id, reason, rules, tier, program_version, partition, position
        FROM projections.history_%1$s$view$, generation);
END $$;

SELECT projections.show(current) FROM projections.generation;

RESET ROLE;
