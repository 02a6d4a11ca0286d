"""State: what is known of members: standings, lots, and the state of business keys."""
