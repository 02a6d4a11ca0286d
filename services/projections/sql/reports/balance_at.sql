CREATE OR REPLACE FUNCTION loyalty.balance_at(program text, member text, instant timestamptz)
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
