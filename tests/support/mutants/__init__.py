"""Mutants: the pure rooms with one small mistake at a time, to see whether the tests notice."""
