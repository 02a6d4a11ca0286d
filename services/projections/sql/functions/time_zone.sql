-- The books' days are the program's; its time zone is in the registry, and readers see nothing else of that.
CREATE OR REPLACE FUNCTION loyalty.time_zone(program text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
COMMENT ON FUNCTION loyalty.time_zone IS 'The time zone in which a program''s days begin: that of its newest version.';
REVOKE ALL ON FUNCTION loyalty.time_zone FROM PUBLIC;
GRANT EXECUTE ON FUNCTION loyalty.time_zone TO analyst, api, projector;
