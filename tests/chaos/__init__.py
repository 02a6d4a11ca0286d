"""Chaos: a private installation under load, harmed in every way we know, and checked after each harm."""
