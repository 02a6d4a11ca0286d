"""Core: the draft of a decision, and what it is counted and dated with."""
