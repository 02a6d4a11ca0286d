"""Benchmarks: how fast each service is on this machine, beside a hand-written minimal loop doing the same I/O."""
