CREATE OR REPLACE VIEW loyalty.sources WITH (security_invoker = true) AS
SELECT program, member, source, events, net, sequence
FROM projections.sources_{generation};
GRANT SELECT ON loyalty.sources TO analyst, api, projector;
