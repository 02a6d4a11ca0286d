"""Projections: point events in, read models out."""
