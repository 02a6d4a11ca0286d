"""Planted defects: small wrong changes, each with the promise it breaks and the check that must catch it."""
