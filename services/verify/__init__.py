"""Verify: a second opinion, by its own decoder and its own fold, over input topics, journal, log and tables.

It shares no code with the services it checks, so a mistake would have to be made twice to go unseen. It only reads.
"""
