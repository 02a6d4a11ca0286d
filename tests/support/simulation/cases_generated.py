"""Generated cases of the contract with Postgres: random rows and arguments, the same for double and server.

What a statement answers or refuses, and what the tables hold in the end, must not differ
(tests/integration/simulation compares them).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg

from services.earning.ledger.journal import Entry
from services.earning.ledger.save import KEY_COLUMNS, LOT_COLUMNS, STANDING_COLUMNS, insert
from tests.support.simulation.cases_postgres import GaveUpError, opened
from tests.support.simulation.servers import Door
from tests.support.simulation.statements import statements
from tests.support.simulation.tables import EARNING

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TRANSACTIONS = 400
STATEMENTS_MAX = 3
ROLLED_BACK = 0.2

SHARDS = PARTITIONS = (0, 1)
PROGRAMS, MEMBERS, TOPICS = ("shop", "café"), ("ann", "bob", "çem"), ("orders", "reviews")
SOURCES, KINDS, IDS = ("eu", "us"), ("order", "review"), ("1", "2", "ä")
NUMBERS, LOTS, VERSIONS = range(9), range(1, 5), range(1, 4)

IN_ORDER = {"lots_left", "due", "versions", "list", "lock_fences", "new_versions"}
"""Whose rows have an order; those of others are compared in any."""

OF_THE_CLOCK = {"id", "created_at", "moved_at", "changed_at", "put_at", "recorded_at", "relayed_at"}
NOT_KEPT = {"change"}
"""Columns that differ from server to server, and those that only people read."""


class Values:
    """Random values; few of each kind, so that statements meet the rows of others."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 (repeatable on purpose)

    def one(self, *kinds: Sequence[Any]) -> tuple[Any, ...]:
        """A value of each kind."""
        return tuple(self.chance.choice(kind) for kind in kinds)

    def some(self, *kinds: Sequence[Any]) -> list[tuple[Any, ...]]:
        """A few different keys."""
        return list(dict.fromkeys(self.one(*kinds) for _ in range(self.chance.randint(1, 4))))

    def instant(self) -> datetime:
        """An instant of four days."""
        return AT + self.chance.randrange(4) * DAY

    def or_none(self, value: Any) -> Any:
        """The value, or none."""
        return self.chance.choice((value, None))

    def body(self) -> bytes:
        """Any bytes."""
        return self.chance.randbytes(3)

    def due(self, lot: int) -> datetime | None:
        """When something is due of a lot; no two of a member are due at the same time."""
        due: datetime | None = self.or_none(self.instant() + lot * timedelta(seconds=1))
        return due

    def due_by(self) -> datetime:
        """An instant at which a lot may be due."""
        return self.instant() + self.chance.choice(LOTS) * timedelta(seconds=1)

    def lots(self) -> list[int]:
        """Numbers of lots."""
        return sorted(lot for (lot,) in self.some(LOTS))


def columns(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    """Rows as a statement takes them: a list a column."""
    return tuple([*column] for column in zip(*rows, strict=True))


def _fence(v: Values) -> tuple[Any, ...]:
    mark = v.or_none((3, v.instant(), 77)) or (None, None, None)
    return (*v.one(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS), v.or_none(v.instant()), *mark)


def _standings(v: Values) -> list[tuple[Any, ...]]:
    return [(*v.one(SHARDS), *key, v.or_none(v.instant()), v.body()) for key in v.some(PROGRAMS, MEMBERS)]


def _keys(v: Values) -> list[tuple[Any, ...]]:
    keys = v.some(PROGRAMS, SOURCES, KINDS, IDS)
    return [(*v.one(SHARDS), *key, *v.one(MEMBERS), v.lots(), v.body()) for key in keys]


def _amounts(v: Values) -> tuple[int, int]:
    return 10, v.chance.randint(-1 if v.chance.random() < 1 / 8 else 0, 10)


def _lots(v: Values) -> list[tuple[Any, ...]]:
    return [
        (
            *v.one(SHARDS),
            *key,
            *v.one(SOURCES, KINDS, IDS),
            *_amounts(v),
            v.instant(),
            v.or_none(v.instant()),
            v.or_none(v.instant()),
            v.due(key[-1]),
            v.body(),
        )
        for key in v.some(PROGRAMS, MEMBERS, LOTS)
    ]


def _changed_lots(v: Values) -> list[tuple[Any, ...]]:
    def new(lot: int) -> tuple[Any, ...]:
        return (*_amounts(v), v.or_none(v.instant()), v.or_none(v.instant()), v.due(lot), v.body())

    return [(*key, *new(key[-1])) for key in v.some(PROGRAMS, MEMBERS, LOTS)]


def _changed_keys(v: Values) -> list[tuple[Any, ...]]:
    keys = v.some(PROGRAMS, SOURCES, KINDS, IDS)
    return [
        (*key, *v.one(SHARDS, MEMBERS), "{" + ",".join(str(lot) for lot in v.lots()) + "}", v.body()) for key in keys
    ]


def _entries(v: Values) -> list[tuple[Any, ...]]:
    return [(*key, date(2026, 1, 1), "shop/ann", "loyalty.x", AT, v.body()) for key in v.some(SHARDS, NUMBERS)]


def _messages(v: Values) -> list[tuple[Any, ...]]:
    return [(*v.one(SHARDS, PROGRAMS, MEMBERS), v.body()) for _ in v.some(NUMBERS)]


COPIED: dict[str, tuple[Sequence[str], Callable[[Values], list[tuple[Any, ...]]]]] = {
    "standings": (STANDING_COLUMNS, _standings),
    "keys": (KEY_COLUMNS, _keys),
    "lots": (LOT_COLUMNS, _lots),
    "journal": (Entry._fields, _entries),
    "inbox": (("shard", "program", "member", "fact"), _messages),
}
"""Table → the columns that are copied into it, and new rows."""

ARGUMENTS: dict[str, Callable[[Values], tuple[Any, ...]]] = {
    "standings": lambda v: (*v.one(PROGRAMS), [*MEMBERS[1:]]),
    "keys": lambda v: (*v.one(PROGRAMS, SOURCES, KINDS), [*IDS[1:]]),
    "keys_of_member": lambda v: v.one(PROGRAMS, MEMBERS),
    "lots": lambda v: columns(v.some(PROGRAMS, MEMBERS, LOTS)),
    "lots_of_member": lambda v: v.one(PROGRAMS, MEMBERS),
    "standings_of_shard": lambda v: v.one(SHARDS),
    "keys_of_shard": lambda v: v.one(SHARDS),
    "lots_of_shard": lambda v: v.one(SHARDS),
    "lots_left": lambda v: v.one(PROGRAMS, MEMBERS, (1, 2, None)),
    "due_lots": lambda v: columns([(*key, v.due_by()) for key in v.some(PROGRAMS, MEMBERS)]),
    "next_dues": lambda v: columns([(*key, v.due_by(), *v.one(range(3))) for key in v.some(PROGRAMS, MEMBERS)]),
    "update_standings": lambda v: columns(
        [(*key, v.or_none(v.instant()), v.body()) for key in v.some(PROGRAMS, MEMBERS)]
    ),
    "update_keys": lambda v: columns(_changed_keys(v)),
    "update_lots": lambda v: columns(_changed_lots(v)),
    "update_shards": lambda v: columns([(*key, *v.one(NUMBERS, IDS)) for key in v.some(SHARDS)]),
    "fences": lambda v: columns(v.some(TOPICS, PARTITIONS)),
    "lock_fences": lambda v: columns(v.some(TOPICS, PARTITIONS)),
    "new_fences": lambda v: columns([(*key, *v.one(NUMBERS)) for key in v.some(TOPICS, PARTITIONS)]),
    "update_fences": lambda v: columns([(*key, *_fence(v)) for key in v.some(TOPICS, PARTITIONS)]),
    "begin_again": lambda v: (*v.one(TOPICS, PARTITIONS, range(3), NUMBERS), "cut", DAY),
    "due": lambda v: (*v.one(SHARDS), v.instant(), *v.one(([], ["shop"]), (1, 9))),
    "mark_due": lambda v: (*v.one(SHARDS, PROGRAMS), v.instant()),
    "look_again": lambda v: columns([(*key, v.or_none(v.instant())) for key in v.some(PROGRAMS, MEMBERS)]),
    "new_versions": lambda v: ([*SHARDS], v.instant(), *v.one(([], ["shop"]))),
    "marked": lambda v: v.one(SHARDS, PROGRAMS, VERSIONS),
    "insert": lambda v: (*v.one(PROGRAMS, VERSIONS), "{}", "sum", AT, v.instant(), v.chance.randrange(10**6)),
    "versions": lambda v: columns(v.some(PROGRAMS)),
    "list": lambda _: (),
    "emitted": lambda v: columns(v.some(SHARDS)),
    "record_emitted": lambda v: columns([(*key, *v.one(NUMBERS)) for key in v.some(SHARDS)]),
    "record_lost": lambda v: columns([(*key, *v.one(NUMBERS)) for key in v.some(SHARDS)]),
    "record_look": lambda v: columns([(*key, *v.one((0, 1), (0, 1), (0, 1), (0, 1))) for key in v.some(SHARDS)]),
    "bytes_at": lambda v: columns(v.some(SHARDS, NUMBERS)),
    "messages": lambda v: v.one(SHARDS, (1, 9)),
    "done": lambda v: (*v.one(SHARDS), *columns(v.some(range(1, 30)))),
    "failed": lambda v: (*v.one(SHARDS, range(1, 30)), "why"),
}
"""Statement of earning → its arguments."""


class Run:
    """One seed's statements on one server, and what came of each."""

    def __init__(self, seed: int, session: Any) -> None:
        self._values = Values(seed)
        self._session = session
        self._texts = {double.name: text for text, double in statements().items()}
        self.seen: list[Any] = []

    async def go(self) -> None:
        """Run one transaction after the other."""
        for _ in range(TRANSACTIONS):
            try:
                async with self._session.transaction():
                    for _ in range(self._values.chance.randint(1, STATEMENTS_MAX)):
                        await self._next()
                    self._give_up_at_times()
            except (asyncpg.PostgresError, GaveUpError) as error:
                self.seen.append(type(error).__name__)

    def _give_up_at_times(self) -> None:
        if self._values.chance.random() < ROLLED_BACK:
            raise GaveUpError

    async def _next(self) -> None:
        """Copy rows into a table, or run a statement."""
        name = self._values.chance.choice([*COPIED, *ARGUMENTS])
        if name in COPIED and self._values.chance.random() < 1 / 2:
            names, new = COPIED[name]
            await insert(self._session, name, names, new(self._values))
        elif name in ARGUMENTS:
            rows = [tuple(row) for row in await self._session.fetch(self._texts[name], *ARGUMENTS[name](self._values))]
            self.seen.append((name, rows if name in IN_ORDER else sorted(rows, key=repr)))


async def outcome(door: Door, seed: int) -> list[Any]:
    """What a seed's statements answer, and all rows of earning in the end."""
    session = await opened(door)
    run = Run(seed, session)
    await run.go()
    for name, (table, _) in EARNING.items():
        kept = [column for column in table._fields if column not in OF_THE_CLOCK | NOT_KEPT]
        rows = await door.rows(session, name)
        run.seen.append((name, sorted(([row[column] for column in kept] for row in rows), key=repr)))
    return run.seen
