-- name: shards
SELECT shards FROM earning.installation;

-- name: install
INSERT INTO earning.installation (shards) VALUES ($1) ON CONFLICT (single) DO NOTHING;

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

-- name: database
-- Which database this is, and since when its server runs: another one may hold less than we know of.
SELECT oid::bigint, pg_postmaster_start_time() FROM pg_database WHERE datname = current_database();
