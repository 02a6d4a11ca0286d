-- The read models: versioned tables in schema projections (one generation a rebuild), stable views in schema loyalty.
--
-- What a generation looks like is said once, in projections.create_tables and projections.add_keys: a rebuild calls them
-- for the next generation, this migration for the first. To change a read model, a later migration replaces these
-- functions and projections.show, and `tallystick rebuild` fills the new tables.
SET LOCAL ROLE loyalty_owner;

CREATE TABLE projections.generation (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    current integer NOT NULL,
    partitions integer CHECK (partitions > 0)
);
COMMENT ON TABLE projections.generation IS 'One row: which tables the views show, and how the points topic is split.';
COMMENT ON COLUMN projections.generation.only_one IS 'Always true: there is one row.';
COMMENT ON COLUMN projections.generation.current IS 'Suffix of the tables that the views show.';
COMMENT ON COLUMN projections.generation.partitions IS
    'Partitions of the points topic, as found at the first start; another count is refused from then on.';
GRANT SELECT, UPDATE ON projections.generation TO projector;

CREATE TABLE projections.dead_letters (
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    relayed_at timestamptz,
    PRIMARY KEY (topic, partition, record_offset)
);
COMMENT ON TABLE projections.dead_letters IS
    'Records on the points topic that earning did not write. They take no position; relayed to the dead-letter topic.';
COMMENT ON COLUMN projections.dead_letters.topic IS 'Where the record was found.';
COMMENT ON COLUMN projections.dead_letters.partition IS 'Its partition.';
COMMENT ON COLUMN projections.dead_letters.record_offset IS 'Its offset.';
COMMENT ON COLUMN projections.dead_letters.reason IS 'Reason code; see docs/reference/reason-codes.md.';
COMMENT ON COLUMN projections.dead_letters.message IS 'What is wrong with it, in words.';
COMMENT ON COLUMN projections.dead_letters.key IS 'The record''s key, as it was.';
COMMENT ON COLUMN projections.dead_letters.value IS 'The record''s value, as it was.';
COMMENT ON COLUMN projections.dead_letters.headers IS 'Its headers: a list of [name, value as hex or null].';
COMMENT ON COLUMN projections.dead_letters.received_at IS 'The record''s timestamp.';
COMMENT ON COLUMN projections.dead_letters.recorded_at IS 'When it was set aside (database clock).';
COMMENT ON COLUMN projections.dead_letters.relayed_at IS 'When it was published on the dead-letter topic; null: not yet.';
CREATE INDEX dead_letters_unrelayed ON projections.dead_letters (topic, partition, record_offset)
    WHERE relayed_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON projections.dead_letters TO projector;

-- The tables of a generation, without keys: a rebuild copies its rows first and builds the keys over them afterwards.
CREATE FUNCTION projections.create_tables(generation integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format($table$
        CREATE TABLE projections.positions_%1$s (
            partition integer NOT NULL,
            position bigint NOT NULL DEFAULT 0,
            hash bytea NOT NULL DEFAULT '',
            next_offset bigint NOT NULL DEFAULT 0,
            successor integer
        ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000)$table$, generation);
    EXECUTE format($comment$
        COMMENT ON TABLE projections.positions_%1$s IS
            'The fence: how far each partition is folded into the tables of this generation; locked by who writes them.'
        $comment$, generation);

    -- Balance and tier of a member share a row: an event that earns moves both, and one upsert costs half of two.
    -- fillfactor leaves room on the page, so that an update touches no index.
    EXECUTE format($table$
        CREATE TABLE projections.members_%1$s (
            partition integer NOT NULL,
            program text COLLATE "C" NOT NULL,
            member text COLLATE "C" NOT NULL,
            sequence bigint NOT NULL,
            booked_at timestamptz NOT NULL,
            available bigint NOT NULL,
            pending bigint NOT NULL,
            deficit bigint NOT NULL,
            earned bigint NOT NULL,
            restored bigint NOT NULL,
            adjusted bigint NOT NULL,
            imported bigint NOT NULL,
            expired_reversed bigint NOT NULL,
            forgiven bigint NOT NULL,
            reinstated bigint NOT NULL,
            transferred_in bigint NOT NULL,
            transferred_out bigint NOT NULL,
            reversed bigint NOT NULL,
            redeemed bigint NOT NULL,
            expired bigint NOT NULL,
            reverted bigint NOT NULL,
            next_expiry_at timestamptz,
            next_expiry_points bigint,
            tier text,
            tier_since timestamptz,
            tier_until timestamptz,
            qualifying numeric,
            to_next numeric,
            to_keep numeric
        ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)$table$, generation);
    EXECUTE format($comment$
        COMMENT ON TABLE projections.members_%1$s IS 'One row a member: balances and tier after their latest point event.'
        $comment$, generation);

    EXECUTE format($table$
        CREATE TABLE projections.history_%1$s (
            partition integer NOT NULL,
            position bigint NOT NULL,
            program text COLLATE "C" NOT NULL,
            member text COLLATE "C" NOT NULL,
            sequence bigint NOT NULL,
            kind text NOT NULL,
            occurred_at timestamptz NOT NULL,
            booked_at timestamptz NOT NULL,
            change bigint NOT NULL,
            balance bigint NOT NULL,
            pending bigint NOT NULL,
            deficit bigint NOT NULL,
            net bigint NOT NULL,
            source text NOT NULL,
            key_kind text,
            key_id text,
            reason text,
            rules text,
            tier text,
            program_version integer NOT NULL,
            hash bytea NOT NULL
        ) WITH (autovacuum_vacuum_insert_scale_factor = 0.5)$table$, generation);
    EXECUTE format($comment$
        COMMENT ON TABLE projections.history_%1$s IS 'One row a point event, in order of position.'
        $comment$, generation);

    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON projections.positions_%1$s TO projector', generation);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON projections.members_%1$s TO projector', generation);
    EXECUTE format('GRANT SELECT, INSERT ON projections.history_%1$s TO projector', generation);
    -- The views run with their reader's own rights (security_invoker), so that row security can bind readers; hence the
    -- readers hold SELECT on these tables. They have no USAGE on schema projections, so they can't name the tables: the
    -- views are all they can read.
    EXECUTE format('GRANT SELECT ON projections.members_%1$s, projections.history_%1$s TO analyst, api', generation);
END $$;
COMMENT ON FUNCTION projections.create_tables IS 'Make the empty tables of a generation, without keys.';

-- Each key holds the partition: no row is ever written by two. History has this one key, for every further one costs a
-- third of the speed of writing; it also answers whether a record seen again is the same (by member and sequence).
CREATE FUNCTION projections.add_keys(generation integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('ALTER TABLE projections.positions_%1$s ADD PRIMARY KEY (partition)', generation);
    EXECUTE format('ALTER TABLE projections.members_%1$s ADD PRIMARY KEY (program, member, partition)', generation);
    EXECUTE format('ALTER TABLE projections.history_%1$s ADD PRIMARY KEY (program, member, sequence, partition)', generation);
END $$;
COMMENT ON FUNCTION projections.add_keys IS 'Build the primary keys of a generation.';

CREATE FUNCTION projections.drop_tables(generation integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS projections.positions_%1$s, projections.members_%1$s, projections.history_%1$s',
        generation);
END $$;
COMMENT ON FUNCTION projections.drop_tables IS 'Drop the tables of a generation that no view shows.';

-- Put the views over a generation. Replacing a view keeps its comments and grants.
CREATE FUNCTION projections.show(generation integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format($view$
        CREATE OR REPLACE VIEW loyalty.balances WITH (security_invoker = true) AS
        SELECT program, member, available, pending, deficit, earned, restored, adjusted, imported, expired_reversed,
            forgiven, reinstated, transferred_in, transferred_out, reversed, redeemed, expired, reverted,
            next_expiry_at, next_expiry_points, booked_at, sequence
        FROM projections.members_%1$s$view$, generation);
    EXECUTE format($view$
        CREATE OR REPLACE VIEW loyalty.tiers WITH (security_invoker = true) AS
        SELECT program, member, tier, tier_since AS since, tier_until AS valid_until, qualifying, to_next, to_keep,
            booked_at
        FROM projections.members_%1$s
        WHERE tier IS NOT NULL OR qualifying IS NOT NULL$view$, generation);
    EXECUTE format($view$
        CREATE OR REPLACE VIEW loyalty.history WITH (security_invoker = true) AS
        SELECT program, member, sequence, occurred_at, booked_at, kind,
            CASE kind
                WHEN 'points.earned' THEN 'earned: ' || coalesce(rules, 'no rule')
                WHEN 'points.reversed' THEN 'taken back: ' || coalesce(reason, '') || coalesce(' (' || rules || ')', '')
                WHEN 'tier.changed' THEN 'tier ' || coalesce(tier, '') || ': ' || coalesce(reason, '')
                WHEN 'member.enrolled' THEN 'enrolled'
                ELSE concat_ws(': ', replace(kind, '.', ' '), reason, rules)
            END AS why,
            change, balance, pending, deficit, net, source, CASE key_kind WHEN 'order' THEN key_id END AS order_id,
            key_kind, key_id, reason, rules, tier, program_version, partition, position
        FROM projections.history_%1$s$view$, generation);
END $$;
COMMENT ON FUNCTION projections.show IS 'Put the views over the tables of a generation.';

REVOKE EXECUTE ON FUNCTION projections.create_tables, projections.add_keys, projections.drop_tables, projections.show
    FROM PUBLIC;

SELECT projections.create_tables(1), projections.add_keys(1), projections.show(1);
INSERT INTO projections.generation (current) VALUES (1);
GRANT SELECT ON loyalty.balances, loyalty.tiers, loyalty.history TO analyst, api, projector;

COMMENT ON VIEW loyalty.balances IS
    'Points of each member after their latest point event. available + pending - deficit = earned + restored + adjusted + imported + expired_reversed + forgiven + reinstated + transferred_in - transferred_out - reversed - redeemed - expired - reverted.';
COMMENT ON COLUMN loyalty.balances.program IS 'The loyalty program.';
COMMENT ON COLUMN loyalty.balances.member IS 'The member, by the opaque id of the shop.';
COMMENT ON COLUMN loyalty.balances.available IS 'Points that can be spent now.';
COMMENT ON COLUMN loyalty.balances.pending IS 'Points earned that can not be spent yet.';
COMMENT ON COLUMN loyalty.balances.deficit IS 'Points owed: taken back after they were spent. Above 0 only when available is 0.';
COMMENT ON COLUMN loyalty.balances.earned IS 'Points ever earned; like all counters below it only grows.';
COMMENT ON COLUMN loyalty.balances.restored IS 'Points ever given back by cancelled redemptions.';
COMMENT ON COLUMN loyalty.balances.adjusted IS 'Sum of all adjustments; the one counter that can fall.';
COMMENT ON COLUMN loyalty.balances.imported IS 'Points ever brought in from another system.';
COMMENT ON COLUMN loyalty.balances.expired_reversed IS 'Expired points whose award was taken back afterwards: counted in reversed, not owed twice.';
COMMENT ON COLUMN loyalty.balances.forgiven IS 'Points owed that were forgiven.';
COMMENT ON COLUMN loyalty.balances.reinstated IS 'Expired points ever given back by an operator.';
COMMENT ON COLUMN loyalty.balances.transferred_in IS 'Points ever taken over from another account of the member.';
COMMENT ON COLUMN loyalty.balances.transferred_out IS 'Points ever handed over to another account of the member.';
COMMENT ON COLUMN loyalty.balances.reversed IS 'Points ever taken back by refunds and cancels.';
COMMENT ON COLUMN loyalty.balances.redeemed IS 'Points ever spent.';
COMMENT ON COLUMN loyalty.balances.expired IS 'Points ever expired.';
COMMENT ON COLUMN loyalty.balances.reverted IS 'Imported points ever taken out again.';
COMMENT ON COLUMN loyalty.balances.next_expiry_at IS 'When the next points expire; null: none do.';
COMMENT ON COLUMN loyalty.balances.next_expiry_points IS 'How many points expire then.';
COMMENT ON COLUMN loyalty.balances.booked_at IS 'When the latest point event was decided.';
COMMENT ON COLUMN loyalty.balances.sequence IS 'Number of the latest point event of the member, counted from 1.';

COMMENT ON VIEW loyalty.tiers IS 'Tier of each member who holds one, or for whom anything counts towards one.';
COMMENT ON COLUMN loyalty.tiers.program IS 'The loyalty program.';
COMMENT ON COLUMN loyalty.tiers.member IS 'The member, by the opaque id of the shop.';
COMMENT ON COLUMN loyalty.tiers.tier IS 'The tier held; null: none reached yet, the program''s base.';
COMMENT ON COLUMN loyalty.tiers.since IS 'Since when it is held; null: none reached yet.';
COMMENT ON COLUMN loyalty.tiers.valid_until IS 'How long it holds at least; null: for ever.';
COMMENT ON COLUMN loyalty.tiers.qualifying IS 'What counts for the tier in the present window: points, money or orders, by the program''s measure.';
COMMENT ON COLUMN loyalty.tiers.to_next IS 'How much more leads to the next tier; null: there is none.';
COMMENT ON COLUMN loyalty.tiers.to_keep IS 'How much more keeps this tier beyond valid_until; null: nothing.';
COMMENT ON COLUMN loyalty.tiers.booked_at IS 'When the member''s latest point event was decided.';

COMMENT ON VIEW loyalty.history IS 'One row a point event: what happened to a member''s points, why, and the balance after it.';
COMMENT ON COLUMN loyalty.history.program IS 'The loyalty program.';
COMMENT ON COLUMN loyalty.history.member IS 'The member, by the opaque id of the shop.';
COMMENT ON COLUMN loyalty.history.sequence IS 'Number of the event among the member''s, from 1 without gaps: order by this.';
COMMENT ON COLUMN loyalty.history.occurred_at IS 'When it happened, as told by the shop.';
COMMENT ON COLUMN loyalty.history.booked_at IS 'When it was decided: the day it belongs to in the books.';
COMMENT ON COLUMN loyalty.history.kind IS 'What it is: the event type without prefix and version, such as points.earned.';
COMMENT ON COLUMN loyalty.history.why IS 'Why, in words for people; reason and rules have it for programs.';
COMMENT ON COLUMN loyalty.history.change IS 'Change of the available points.';
COMMENT ON COLUMN loyalty.history.balance IS 'Resulting balance: available points after this event.';
COMMENT ON COLUMN loyalty.history.pending IS 'Pending points after this event.';
COMMENT ON COLUMN loyalty.history.deficit IS 'Points owed after this event.';
COMMENT ON COLUMN loyalty.history.net IS 'Change of available + pending - deficit.';
COMMENT ON COLUMN loyalty.history.source IS 'The shop that told us.';
COMMENT ON COLUMN loyalty.history.order_id IS 'The order it is about; null: not about an order.';
COMMENT ON COLUMN loyalty.history.key_kind IS 'Kind of the business key it is about: order, …; null: none.';
COMMENT ON COLUMN loyalty.history.key_id IS 'Id of the business key it is about.';
COMMENT ON COLUMN loyalty.history.reason IS 'Reason code of the event, where it has one.';
COMMENT ON COLUMN loyalty.history.rules IS 'Rules that gave or lost points, each with its points: base 98, dairy 2.';
COMMENT ON COLUMN loyalty.history.tier IS 'The tier after this event, where it changed.';
COMMENT ON COLUMN loyalty.history.program_version IS 'The version of the program that decided.';
COMMENT ON COLUMN loyalty.history.partition IS 'Partition of the points topic that holds the event.';
COMMENT ON COLUMN loyalty.history.position IS 'Position of the event in its partition, from 1 without gaps.';

RESET ROLE;
