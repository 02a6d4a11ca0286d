-- Dead letters that somebody has dealt with: discarded with a reason. What earning did not write can't be given again.
SET LOCAL ROLE loyalty_owner;

ALTER TABLE projections.dead_letters
    ADD COLUMN discarded_at timestamptz,
    ADD COLUMN discarded_why text,
    ADD CONSTRAINT discarded_with_a_reason CHECK ((discarded_at IS NULL) = (discarded_why IS NULL));
COMMENT ON COLUMN projections.dead_letters.discarded_at IS 'When an operator decided that nothing comes of it; null: never.';
COMMENT ON COLUMN projections.dead_letters.discarded_why IS 'Why, in the operator''s words; no personal data.';

CREATE INDEX dead_letters_open ON projections.dead_letters (reason) WHERE discarded_at IS NULL;

RESET ROLE;
