-- How far a relay has found the log of a shard whole: whoever relays next reads all that came since.
SET LOCAL ROLE loyalty_owner;

ALTER TABLE earning.emissions
    ADD COLUMN whole_to bigint NOT NULL DEFAULT 0,
    ADD COLUMN looked_to bigint NOT NULL DEFAULT 0;
-- A position lies at an offset of its own or a later one: reading from there on misses nothing that came since.
UPDATE earning.emissions SET whole_to = emitted, looked_to = emitted;
COMMENT ON COLUMN earning.emissions.whole_to IS 'The position up to which the log was whole when a relay last looked.';
COMMENT ON COLUMN earning.emissions.looked_to IS 'The offset at which the log ended then.';

RESET ROLE;
