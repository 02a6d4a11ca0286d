"""Tests: the first folder says what a test costs, the rest mirrors the tree."""
