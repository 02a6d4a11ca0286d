-- name: shards
SELECT shards FROM earning.installation;

-- name: install
INSERT INTO earning.installation (shards, state_format) VALUES ($1, $2) ON CONFLICT (single) DO NOTHING;

-- name: state_format
SELECT state_format FROM earning.installation;

-- name: set_state_format
UPDATE earning.installation SET state_format = $1;

-- name: workers
-- Sessions of earning's processes in this database: what a session calls itself is seen by everybody.
SELECT count(*)
FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'tallystick-earning%';

-- name: make_shards
INSERT INTO earning.shards (shard)
SELECT generate_series(0, i.shards - 1) FROM earning.installation i
ON CONFLICT (shard) DO NOTHING;

-- name: make_emissions
INSERT INTO earning.emissions (shard)
SELECT generate_series(0, i.shards - 1) FROM earning.installation i
ON CONFLICT (shard) DO NOTHING;

-- name: prepare_journal
SELECT earning.prepare_journal();
