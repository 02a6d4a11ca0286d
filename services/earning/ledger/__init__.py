"""Ledger: where the books are written: shard heads locked, rows loaded, events appended, rows saved, heads moved."""
