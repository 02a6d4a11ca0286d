-- Roles are the server's, not a database's: another database of the same server may have made them already.
DO $$
BEGIN
    PERFORM pg_advisory_xact_lock(7411001);  -- two migrations at once must not both create them
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'loyalty_owner') THEN
        CREATE ROLE loyalty_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'earning') THEN
        CREATE ROLE earning LOGIN BYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'projector') THEN
        CREATE ROLE projector LOGIN BYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'analyst') THEN
        CREATE ROLE analyst LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'api') THEN
        CREATE ROLE api LOGIN;
    END IF;
END $$;

CREATE SCHEMA earning AUTHORIZATION loyalty_owner;
CREATE SCHEMA projections AUTHORIZATION loyalty_owner;
CREATE SCHEMA loyalty AUTHORIZATION loyalty_owner;
COMMENT ON SCHEMA earning IS 'Earning''s own tables: the journal, and what is derived from it. Not a contract.';
COMMENT ON SCHEMA projections IS 'The versioned tables behind the views of schema loyalty. Not a contract.';
COMMENT ON SCHEMA loyalty IS 'Read models for analysts: names of views and columns are a contract, changes are additive.';
GRANT USAGE ON SCHEMA earning TO earning;
GRANT USAGE ON SCHEMA projections TO projector;
GRANT USAGE ON SCHEMA loyalty TO analyst, api, projector, earning;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
