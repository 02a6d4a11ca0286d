-- What a batch did not say of a tier stays as it is. Balances are absolute: the later event holds the truth.
INSERT INTO projections.members_{generation} AS m
SELECT * FROM changed_members
ON CONFLICT (program, member, partition) DO UPDATE SET
    sequence = excluded.sequence,
    booked_at = excluded.booked_at,
    available = excluded.available,
    pending = excluded.pending,
    deficit = excluded.deficit,
    earned = excluded.earned,
    restored = excluded.restored,
    adjusted = excluded.adjusted,
    imported = excluded.imported,
    expired_reversed = excluded.expired_reversed,
    forgiven = excluded.forgiven,
    reinstated = excluded.reinstated,
    transferred_in = excluded.transferred_in,
    transferred_out = excluded.transferred_out,
    reversed = excluded.reversed,
    redeemed = excluded.redeemed,
    expired = excluded.expired,
    reverted = excluded.reverted,
    tier = coalesce(excluded.tier, m.tier),
    tier_since = coalesce(excluded.tier_since, m.tier_since),
    tier_until = CASE WHEN excluded.tier IS NULL THEN m.tier_until ELSE excluded.tier_until END,
    qualifying = coalesce(excluded.qualifying, m.qualifying),
    to_next = CASE WHEN excluded.qualifying IS NULL THEN m.to_next ELSE excluded.to_next END,
    to_keep = CASE WHEN excluded.qualifying IS NULL THEN m.to_keep ELSE excluded.to_keep END;
