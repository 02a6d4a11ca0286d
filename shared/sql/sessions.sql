-- name: end_overdue
-- Sessions that wait for their client's COPY data for longer than a transaction may take: no timeout reaches those.
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(application_name, $1) AND pid <> pg_backend_pid()
    AND state = 'active' AND wait_event = 'ClientRead' AND xact_start < now() - $2::float8 * interval '1 ms';
