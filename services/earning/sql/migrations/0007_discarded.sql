-- Dead letters that somebody has dealt with: given again, or discarded with a reason.
SET LOCAL ROLE loyalty_owner;

ALTER TABLE earning.dead_letters
    ADD COLUMN discarded_at timestamptz,
    ADD COLUMN discarded_why text,
    ADD CONSTRAINT discarded_with_a_reason CHECK ((discarded_at IS NULL) = (discarded_why IS NULL));
COMMENT ON COLUMN earning.dead_letters.discarded_at IS 'When an operator decided that nothing comes of it; null: never.';
COMMENT ON COLUMN earning.dead_letters.discarded_why IS 'Why, in the operator''s words; no personal data.';

-- Those that still need somebody are few, and are counted again and again.
CREATE INDEX dead_letters_open ON earning.dead_letters (reason) WHERE retried_at IS NULL AND discarded_at IS NULL;

RESET ROLE;
