"""Decide: facts and rules in, points out. Pure: no clock, no randomness, no I/O.

`needs(fact)` says which rows to load, `advance` brings a standing to an instant, `decide` says what a fact is worth now.
"""
