"""The real core with its rows in memory: a shell that loads as little as it may, as the service does.

Everything saved goes through bytes and back, and what is given to the core must come out of it unchanged. Messages
wait until they are delivered: those from one member to another in their order, as the inbox of a shard gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.earning.decide import Decision, Outcome, advance, decide, decide_message, needs
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact, LoggedFact, restored_fact
from services.earning.state.keys import KeyState
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Rows, RowsMissingError, SpendingOrder, Standing
from shared.errors import PermanentError
from shared.point_events import EventData
from tests.support.model.books import broken
from tests.support.model.event_checks import refused_badly, told_badly
from tests.support.model.mailbox import Pair, Post

LOADS_MAX = 50


def spending_order(lot: Lot) -> SpendingOrder:
    """A lot's place in the order of consumption, with the never-expiring ones comparable."""
    return SpendingOrder(lot.expires_at is None, lot.expires_at, lot.earned_at, lot.lot)


def _turn(lot: Lot) -> tuple[bool, float, datetime, int]:
    return (lot.expires_at is None, lot.expires_at.timestamp() if lot.expires_at else 0.0, lot.earned_at, lot.lot)


@dataclass
class _Wanted:
    """What the core has asked for in this decision."""

    spendable: list[Lot]
    taken: int = 0
    keys: set[BusinessKey] = field(default_factory=set)
    due_until: datetime | None = None
    everything: bool = False
    every_row: bool = False

    def more(self, error: RowsMissingError) -> None:
        """Remember what else it wants."""
        points, before = error.points, self._so_far()
        while points > 0 and self.taken < len(self.spendable):
            points -= self.spendable[self.taken].remaining
            self.taken += 1
        self.keys |= set(error.keys)
        self.due_until = max(filter(None, (self.due_until, error.due_until)), default=None)
        self.everything |= error.everything or error.every_row or points > 0
        self.every_row |= error.every_row
        assert before != self._so_far(), f"asks in vain: {error}"

    def _so_far(self) -> tuple[object, ...]:
        return self.taken, len(self.keys), self.due_until, self.everything, self.every_row

    def rows(self, member: str, keys: dict[BusinessKey, KeyRow], every: dict[int, Lot]) -> Rows:
        """The rows to give."""
        taken = self.spendable[: self.taken]
        lots = {number: every[number] for row in keys.values() if row.member == member for number in row.lots}
        lots |= {lot.lot: lot for lot in taken}
        dues = {number: lot.due for number, lot in every.items()}
        until = self.due_until
        lots |= {n: every[n] for n, due in dues.items() if until is not None and due is not None and due <= until}
        if self.everything:
            lots |= {n: lot for n, lot in every.items() if lot.remaining or lot.qualifies or lot.available_at is None}
        if self.every_row:
            lots = every
        return Rows(
            keys=keys,
            lots=lots,
            horizon=spending_order(taken[-1]) if taken else None,
            all_lots=self.everything,
            due_until=until,
            next_due=min((due for due in dues.values() if due and (until is None or due > until)), default=None),
            asked=frozenset(self.keys),
            all_keys=self.every_row,
        )


@dataclass
class Core:
    """All members of one program, as the services' tables would hold them."""

    versions: Versions
    standings: dict[str, bytes] = field(default_factory=dict)
    rows: dict[BusinessKey, bytes] = field(default_factory=dict)
    lots: dict[str, dict[int, bytes]] = field(default_factory=dict)
    events: list[EventData] = field(default_factory=list)
    latest: list[EventData] = field(default_factory=list)
    post: Post[Fact] = field(default_factory=Post)

    def standing(self, member: str) -> Standing | None:
        """What is saved of a member."""
        saved = self.standings.get(member)
        return None if saved is None else msgspec.msgpack.decode(saved, type=Standing)

    def row(self, key: BusinessKey) -> KeyRow | None:
        """The row of a business key."""
        saved = self.rows.get(key)
        return None if saved is None else msgspec.msgpack.decode(saved, type=KeyRow)

    def lots_of(self, member: str) -> list[Lot]:
        """All lots of a member, by number."""
        saved = self.lots.get(member, {})
        return [msgspec.msgpack.decode(saved[number], type=Lot) for number in sorted(saved)]

    def book(self, source: str, kind: str, name: str) -> KeyState | None:
        """The book of a business key."""
        row = self.row(BusinessKey(self.versions.all[0].name, source, kind, name))
        return None if row is None else row.book

    def take(self, fact: Fact, work: Callable[..., Decision] = decide) -> str:
        """Decide a fact and save; returns its outcome, or the reason of its dead letter."""
        self.latest = []
        standing = self.standing(fact.member)
        decided_at = fact.received_at
        if standing is not None:  # a sweep goes no further than what it books; `advance` here may
            decided_at = max(standing.decided_at, standing.clock, fact.received_at)
        keys = {key: row for key in needs(fact).keys if (row := self.row(key)) is not None}
        try:
            decision = self._until_loaded(
                fact.member, keys, lambda rows: work(self.versions, standing, rows, fact, decided_at)
            )
        except PermanentError as error:
            found = refused_badly(error, fact)
            assert not found, "\n".join(found)
            return str(error.reason)
        if decision.outcome != "duplicate":
            self._save(fact.member, decision, fact)
        return str(decision.outcome)

    def deliver(self, pair: Pair) -> Fact | None:
        """Decide the oldest message from one member to another; None: there is none."""
        message = self.post.fetch(pair)
        if message is None:
            return None
        outcome = self.take(message, decide_message)
        assert outcome in set(Outcome), f"a message that can't be decided: {outcome}"
        return message

    def advance(self, member: str, until: datetime) -> None:
        """Bring a member's time forward."""
        self.latest = []
        standing = self.standing(member)
        if standing is None or until <= standing.clock:
            return
        moved = self._until_loaded(member, {}, lambda rows: advance(self.versions, standing, rows, until))
        self._save(member, moved, None)

    def _until_loaded(self, member: str, keys: dict[BusinessKey, KeyRow], work: Callable[[Rows], Decision]) -> Decision:
        """Give the core what it has asked for, and no more, until it decides."""
        every = {lot.lot: lot for lot in self.lots_of(member)}
        wanted = _Wanted(sorted((lot for lot in every.values() if lot.available_at and lot.remaining), key=_turn))
        for _ in range(LOADS_MAX):
            if wanted.every_row:
                keys |= {key: row for key in self.rows if (row := self.row(key)) is not None and row.member == member}
            for key in wanted.keys:
                if (row := self.row(key)) is not None:
                    keys[key] = row
            rows = wanted.rows(member, keys, every)
            before = msgspec.msgpack.encode((list(rows.keys.values()), list(rows.lots.values())))
            try:
                decision = work(rows)
            except RowsMissingError as error:
                wanted.more(error)
                continue
            after = msgspec.msgpack.encode((list(rows.keys.values()), list(rows.lots.values())))
            assert after == before, "an input was changed"
            return decision
        raise AssertionError("the core asks for rows again and again")

    def _save(self, member: str, decision: Decision, fact: Fact | None) -> None:
        before = self.standing(member)
        self.standings[member] = msgspec.msgpack.encode(decision.standing)
        for key, row in decision.keys.items():
            self.rows[key] = msgspec.msgpack.encode(row)
        for number, lot in decision.lots.items():
            self.lots.setdefault(member, {})[number] = msgspec.msgpack.encode(lot)
        lots = self.lots_of(member)
        found = broken(before, decision.standing, decision.events, lots)
        found += told_badly(fact, self.versions, before, decision.standing, decision.events, decision.keys, lots)
        assert not found, "\n".join(found)
        self.latest = decision.events
        self.events += decision.events
        for message in decision.messages:
            written = msgspec.msgpack.encode(LoggedFact.of(message))
            self.post.send(member, restored_fact(msgspec.msgpack.decode(written), message.program, message.member))
