-- Balance and tier of a member share a row: an event that earns moves both, and one upsert costs half of two.
-- fillfactor leaves room on the page, so that an update touches no index.
CREATE TABLE projections.members_{generation} (
    partition integer NOT NULL,
    program text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    booked_at timestamptz NOT NULL,
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
    next_expiry_at timestamptz,
    next_expiry_points bigint,
    tier text,
    tier_since timestamptz,
    tier_until timestamptz,
    qualifying numeric,
    to_next numeric,
    to_keep numeric
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE projections.members_{generation} IS 'One row a member: balances and tier after their latest point event.';
