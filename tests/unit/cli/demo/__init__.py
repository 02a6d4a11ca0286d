"""The demo's facts, without servers."""
