"""Replay: decisions are made again, from the topic where the database lacks them, from the journal to check them."""
