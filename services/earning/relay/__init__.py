"""Relay: what the journal holds is published, and the log is looked at for what it has lost."""
