-- Input logs that change behind our back: which of a partition's logs a fence belongs to, and what was noticed.
SET LOCAL ROLE loyalty_owner;

ALTER TABLE earning.fences
    ADD COLUMN log integer NOT NULL DEFAULT 0,
    ADD COLUMN begun bigint NOT NULL DEFAULT 0,
    ADD COLUMN counted_before bigint NOT NULL DEFAULT 0,
    ADD COLUMN changed_at timestamptz,
    ADD COLUMN change text;
COMMENT ON COLUMN earning.fences.log IS 'How often the partition''s log was found changed: made anew, cut, or past its retention.';
COMMENT ON COLUMN earning.fences.begun IS 'Where reading began, in this log: from here to stored, the records are those counted since.';
COMMENT ON COLUMN earning.fences.counted_before IS 'What the four counts had come to when this log was begun.';
COMMENT ON COLUMN earning.fences.changed_at IS 'When the log was last found changed; null: never.';
COMMENT ON COLUMN earning.fences.change IS 'What was found then.';

-- The same place in another log is another record.
ALTER TABLE earning.dead_letters ADD COLUMN log integer NOT NULL DEFAULT 0;
ALTER TABLE earning.dead_letters DROP CONSTRAINT dead_letters_pkey;
ALTER TABLE earning.dead_letters ADD PRIMARY KEY (topic, partition, "offset", log);
COMMENT ON COLUMN earning.dead_letters.log IS 'Which of the partition''s logs, as in earning.fences.';

RESET ROLE;
