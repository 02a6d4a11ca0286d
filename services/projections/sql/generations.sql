-- Statements that make, show and drop the tables of a generation. {generation} is the suffix of the tables meant,
-- {table} the name of a read model, {key} the columns of its primary key, {tables} all tables of a generation.

-- name: lock_rebuild
SELECT pg_try_advisory_lock(7411010);

-- name: generations
SELECT substring(c.relname FROM '^positions_(\d+)$')::int AS generation
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'projections' AND c.relkind = 'r' AND c.relname ~ '^positions_\d+$'
ORDER BY 1;

-- Tables are made without keys: a rebuild copies its rows first and builds the keys over them afterwards.
-- name: create_positions
CREATE TABLE projections.positions_{generation} (
    partition integer NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT '',
    next_offset bigint NOT NULL DEFAULT 0,
    successor integer
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE projections.positions_{generation} IS
    'The fence: how far each partition is folded into the tables of this generation; locked by who writes them.';
GRANT SELECT, INSERT, UPDATE ON projections.positions_{generation} TO projector;

-- The views run with their reader's own rights (security_invoker), so that row security can bind readers; hence the
-- readers hold SELECT on these tables. They have no USAGE on schema projections, so they can't name the tables: the
-- views are all they can read.
-- name: grant
GRANT SELECT ON projections.{table}_{generation} TO analyst, api;
GRANT SELECT, INSERT ON projections.{table}_{generation} TO projector;

-- name: grant_update
GRANT UPDATE ON projections.{table}_{generation} TO projector;

-- Each key holds the partition: no row is ever written by two. A read model has this one key, for every further one
-- costs a third of the speed of writing.
-- name: add_key
ALTER TABLE projections.{table}_{generation} ADD PRIMARY KEY ({key});

-- name: analyze
ANALYZE {tables};

-- name: tables
SELECT format('projections.%I', c.relname) AS name
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'projections' AND c.relkind = 'r' AND c.relname ~ ('_' || $1::int || '$')
ORDER BY 1;

-- name: drop_tables
DROP TABLE IF EXISTS {tables};

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
JOIN pg_class AS c ON c.oid = l.relation
WHERE c.relnamespace = 'loyalty'::regnamespace AND c.relkind = 'v' AND l.granted AND a.pid <> pg_backend_pid();
