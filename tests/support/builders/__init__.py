"""Builders: what many tests begin with, in few words."""
