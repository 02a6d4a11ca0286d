"""Traffic: the records of a shop without end, with duplicates, late ones and poison in between."""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from itertools import count

from shared.broker import Outgoing
from shared.shards import member_key, shard_of
from tests.chaos import poison
from tests.chaos.lives import BEGAN, PROGRAM, STEP, Lives, Told

DUPLICATES, REORDERED, POISON = 0.055, 0.055, 0.012
"""Shares of the facts: a little over 5, 5 and 1 %."""

HELD_BACK_MAX = 400
MEMBERS = 5_000

Place = tuple[str, int]
"""Topic (its field in `Topics`) and partition."""


class Facts:
    """An endless stream of records, the same for the same seed.

    `kinds` counts what was taken; `keys` has, by kind, the number of every order, redemption, … told of.
    """

    def __init__(self, seed: str, *, shards: int, members: int = MEMBERS) -> None:
        self._draw = random.Random(seed)  # noqa: S311 (the same facts for the same seed is the point)
        self._lives = Lives(self._draw, members)
        self._shards = shards
        self._happened = 0
        self._ties = count()
        self._coming: list[tuple[float, int, Told]] = []
        self._held: list[tuple[int, int, Place, Outgoing, tuple[str, int]]] = []
        self._sent = 0
        self.kinds: Counter[str] = Counter()
        self.keys: defaultdict[str, set[int]] = defaultdict(set)

    def take(self, number: int) -> dict[Place, list[Outgoing]]:
        """The next records, at least `number`, by topic and partition."""
        taken: dict[Place, list[Outgoing]] = {}
        target = self._sent + number
        while self._sent < target:
            self._take_one(taken)
        return taken

    def _take_one(self, taken: dict[Place, list[Outgoing]]) -> None:
        told = self._next_told()
        key = member_key(PROGRAM, told.member).encode()
        place = (told.topic, shard_of(PROGRAM, told.member, self._shards))
        record = Outgoing(key, told.value, (), int(told.received_at.timestamp() * 1000))
        self.kinds["facts"] += 1
        while self._held and self._held[0][0] <= self._sent:
            self._put(taken, *heapq.heappop(self._held)[2:])
        chance = self._draw.random()
        if chance < REORDERED:
            self.kinds["reordered"] += 1
            self._hold(place, record, told.about)
        else:
            self._put(taken, place, record, told.about)
        if REORDERED <= chance < REORDERED + DUPLICATES:
            self.kinds["duplicates"] += 1
            self._hold(place, record, told.about)
        if chance > 1 - POISON:
            self.kinds["poison"] += 1
            self._put(taken, place, poison.record(self._draw, key), ("poison", self.kinds["poison"]))

    def _put(self, taken: dict[Place, list[Outgoing]], place: Place, record: Outgoing, about: tuple[str, int]) -> None:
        taken.setdefault(place, []).append(record)
        self.keys[about[0]].add(about[1])
        self._sent += 1

    def _hold(self, place: Place, record: Outgoing, about: tuple[str, int]) -> None:
        later = self._sent + self._draw.randrange(1, HELD_BACK_MAX)
        heapq.heappush(self._held, (later, next(self._ties), place, record, about))

    def _next_told(self) -> Told:
        while not self._coming or self._coming[0][2].received_at >= BEGAN + self._happened * STEP:
            for told in self._lives.happening(self._happened):
                heapq.heappush(self._coming, (told.received_at.timestamp(), next(self._ties), told))
            self._happened += 1
        return heapq.heappop(self._coming)[2]
