CREATE OR REPLACE VIEW loyalty.top_earners WITH (security_invoker = true) AS
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
GRANT SELECT ON loyalty.top_earners TO analyst, api, projector;
