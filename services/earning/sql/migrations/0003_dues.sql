-- The life of a point: lots that wait and end, members who are due, and who holds sweeps back.
SET LOCAL ROLE loyalty_owner;

-- Lots of before say nothing of how they are to end, and no release has ever written any.
DO $$
BEGIN
    IF EXISTS (SELECT FROM earning.lots) THEN
        RAISE EXCEPTION 'earning.lots has rows of a schema that was never released: begin with an empty database';
    END IF;
END $$;

ALTER TABLE earning.lots ADD COLUMN due timestamptz, ADD COLUMN body bytea NOT NULL;
COMMENT ON COLUMN earning.lots.due IS 'When time alone changes it next: its release, or its end; null: never.';
COMMENT ON COLUMN earning.lots.body IS 'The lot with all it is, as MessagePack; the other columns are to find it by.';

-- What is spendable comes first and in spending order; what is pending has no end yet, and so comes last. One index
-- answers both `the next to spend` and `all that is left`.
DROP INDEX earning.lots_spendable;
CREATE INDEX lots_left ON earning.lots (program, member, expires_at, earned_at, lot)
    WHERE remaining > 0 OR available_at IS NULL;
-- Only lots that time will change: in a program whose points never expire it stays empty and costs nothing.
CREATE INDEX lots_due ON earning.lots (program, member, due) WHERE due IS NOT NULL;

-- The sweeper's way to who is due. It costs an entry for each update of a standing that moves next_due, and updates in
-- place are lost for those; a program without pending, expiry and tiers with a window has none. Without it each sweep
-- would read every standing there is.
CREATE INDEX standings_due ON earning.standings (shard, next_due) WHERE next_due IS NOT NULL;
COMMENT ON COLUMN earning.standings.next_due IS
    'When the sweeper is to look at this member; null: never. Only a hint: the body says what is due.';

ALTER TABLE earning.fences ADD COLUMN moved_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN earning.fences.moved_at IS 'When it moved last, by the database clock: a partition long at its end is as late as now.';

CREATE TABLE earning.version_sweeps (
    shard integer NOT NULL,
    program text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (shard, program)
);
COMMENT ON TABLE earning.version_sweeps IS 'The newest version of a program whose taking force every standing of a shard was marked due for.';
COMMENT ON COLUMN earning.version_sweeps.shard IS 'Shard.';
COMMENT ON COLUMN earning.version_sweeps.program IS 'Program.';
COMMENT ON COLUMN earning.version_sweeps.version IS 'Number of the version.';

CREATE TABLE earning.sweep_holds (
    program text COLLATE "C" NOT NULL,
    holder text NOT NULL,
    until timestamptz NOT NULL,
    topics text[],
    partitions integer[],
    ends bigint[],
    PRIMARY KEY (program, holder)
);
COMMENT ON TABLE earning.sweep_holds IS 'Programs whose history is being published: nobody is swept before all of it is decided.';
COMMENT ON COLUMN earning.sweep_holds.program IS 'Program.';
COMMENT ON COLUMN earning.sweep_holds.holder IS 'Which publication.';
COMMENT ON COLUMN earning.sweep_holds.until IS 'End of its term by the database clock: a publisher that died holds nobody for ever. Infinity once all is published.';
COMMENT ON COLUMN earning.sweep_holds.topics IS 'Once all is published, where it ends: topics; null before.';
COMMENT ON COLUMN earning.sweep_holds.partitions IS 'Their partitions.';
COMMENT ON COLUMN earning.sweep_holds.ends IS 'The offsets after the last records: the hold is over when every fence has come so far.';
GRANT SELECT, INSERT, UPDATE, DELETE ON earning.version_sweeps, earning.sweep_holds TO earning;

COMMENT ON COLUMN earning.leases.kind IS 'Which work: emit, dead_letters, sweep.';

RESET ROLE;
