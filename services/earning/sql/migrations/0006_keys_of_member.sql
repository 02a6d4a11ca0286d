-- A member who is claimed hands over all rows: they are found by their owner.
SET LOCAL ROLE loyalty_owner;

CREATE INDEX keys_of_member ON earning.keys (program, member);

RESET ROLE;
