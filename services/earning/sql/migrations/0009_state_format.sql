-- The format of what earning keeps in bodies: code that knows another format refuses to read them.
SET LOCAL ROLE loyalty_owner;

-- Until now there was one format.
ALTER TABLE earning.installation ADD COLUMN state_format integer NOT NULL DEFAULT 1 CHECK (state_format >= 0);
ALTER TABLE earning.installation ALTER COLUMN state_format DROP DEFAULT;
COMMENT ON COLUMN earning.installation.state_format IS 'The format of standings, keys and lots: what reads them knows this number. 0: they are being put anew, or that was cut off.';

GRANT UPDATE (state_format) ON earning.installation TO earning;

RESET ROLE;
