-- Statements of a rebuild. {generation} is the suffix of the tables meant.

-- name: lock_rebuild
SELECT pg_try_advisory_lock(7411010);

-- name: generations
SELECT substring(c.relname FROM '^positions_(\d+)$')::int AS generation
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'projections' AND c.relkind = 'r' AND c.relname ~ '^positions_\d+$'
ORDER BY 1;

-- name: create_tables
SELECT projections.create_tables($1);

-- name: add_keys
SELECT projections.add_keys($1);

-- name: analyze
ANALYZE projections.members_{generation}, projections.history_{generation}, projections.positions_{generation};

-- name: drop_tables
SELECT projections.drop_tables($1);

-- name: show
SELECT projections.show($1);

-- name: set_current
UPDATE projections.generation SET current = $1;

-- name: retire
UPDATE projections.positions_{generation} SET successor = $1;

-- name: wait_briefly
SET LOCAL lock_timeout = '50ms';

-- The live workers wait for us: should we be paused, they wait no longer than this.
-- name: hold_briefly
SET LOCAL idle_in_transaction_session_timeout = '10s';

-- Who reads the views and so holds up a swap.
-- name: readers
SELECT DISTINCT a.pid, a.usename, coalesce(a.application_name, '') AS application_name
FROM pg_locks AS l
JOIN pg_stat_activity AS a USING (pid)
WHERE l.relation = ANY (ARRAY['loyalty.balances', 'loyalty.tiers', 'loyalty.history']::regclass[])
    AND l.granted AND a.pid <> pg_backend_pid();
