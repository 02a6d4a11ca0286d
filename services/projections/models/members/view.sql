CREATE OR REPLACE VIEW loyalty.balances WITH (security_invoker = true) AS
SELECT program, member, available, pending, deficit, earned, restored, adjusted, imported, expired_reversed,
    forgiven, reinstated, transferred_in, transferred_out, reversed, redeemed, expired, reverted,
    next_expiry_at, next_expiry_points, booked_at, sequence
FROM projections.members_{generation};
COMMENT ON VIEW loyalty.balances IS
    'Points of each member after their latest point event. available + pending - deficit = earned + restored + adjusted + imported + expired_reversed + forgiven + reinstated + transferred_in - transferred_out - reversed - redeemed - expired - reverted.';
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
GRANT SELECT ON loyalty.balances TO analyst, api, projector;

CREATE OR REPLACE VIEW loyalty.tiers WITH (security_invoker = true) AS
SELECT program, member, tier, tier_since AS since, tier_until AS valid_until, qualifying, to_next, to_keep,
    booked_at
FROM projections.members_{generation}
WHERE tier IS NOT NULL OR qualifying IS NOT NULL;
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
GRANT SELECT ON loyalty.tiers TO analyst, api, projector;
