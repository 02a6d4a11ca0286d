"""Fresh rows: what this process has just committed, kept until it is published, so that it needn't be read back.

A convenience only: the journal has it all, and whatever is missing here is read from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from services.earning.ledger.journal import Entry

BYTES_MAX = 32 * 1024 * 1024
"""Of events kept at most; more are in the journal."""


class RelayBuffer:
    """By shard, an unbroken run of journal rows."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._runs: dict[int, deque[Entry]] = {}
        self._bytes = 0
        self._bytes_max = bytes_max

    def add(self, entries: Sequence[Entry]) -> None:
        """Keep rows, each shard's in order. A run that they don't continue, or that grows too long, is forgotten."""
        for entry in entries:
            run = self._runs.setdefault(entry.shard, deque())
            if run and (run[-1].position + 1 != entry.position or self._bytes > self._bytes_max):
                self._bytes -= sum(len(known.bytes) for known in run)
                run.clear()
            run.append(entry)
            self._bytes += len(entry.bytes)

    def after(self, shard: int, position: int, at_most: int) -> list[Entry]:
        """The rows that come right after a position, in order; nothing where the next one isn't here.

        Rows up to the position are published: they are forgotten.
        """
        run = self._runs.get(shard)
        if not run:
            return []
        while run and run[0].position <= position:
            self._bytes -= len(run.popleft().bytes)
        return list(islice(run, at_most)) if run and run[0].position == position + 1 else []
