"""Tests of what both services share, on the real servers."""
