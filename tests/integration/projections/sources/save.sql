INSERT INTO projections.sources_{generation} AS held
SELECT * FROM changed_sources
ON CONFLICT (program, member, source, partition) DO UPDATE SET
    sequence = excluded.sequence,
    events = held.events + excluded.events,
    net = held.net + excluded.net;
