-- The inbox: what decisions about members mean for other members, until it is decided there.
SET LOCAL ROLE loyalty_owner;

CREATE TABLE earning.inbox (
    shard integer NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    program text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    fact bytea NOT NULL,
    put_at timestamptz NOT NULL DEFAULT now(),
    failed text,
    PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE earning.inbox IS 'Messages from members to members: written by the transaction that decides them, deleted by the one that decides what they mean.';
COMMENT ON COLUMN earning.inbox.shard IS 'Shard of the member it is for.';
COMMENT ON COLUMN earning.inbox.id IS 'Order in which a shard''s messages are decided; nothing depends on it.';
COMMENT ON COLUMN earning.inbox.program IS 'Program.';
COMMENT ON COLUMN earning.inbox.member IS 'The member it is for.';
COMMENT ON COLUMN earning.inbox.fact IS 'The message as a fact, as MessagePack.';
COMMENT ON COLUMN earning.inbox.put_at IS 'When it was written, by the database clock.';
COMMENT ON COLUMN earning.inbox.failed IS 'Why it could not be decided: a fault of ours, left alone until it is set to null; null: it waits.';
GRANT SELECT, INSERT, UPDATE, DELETE ON earning.inbox TO earning;

COMMENT ON COLUMN earning.leases.kind IS 'Which work: emit, dead_letters, sweep, inbox.';

RESET ROLE;
