CREATE OR REPLACE VIEW loyalty.redemptions WITH (security_invoker = true) AS
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
GRANT SELECT ON loyalty.redemptions TO analyst, api, projector;
