"""The real core with its rows in memory: the service's ledger over a store that gives as little as it may.

Messages wait until they are delivered: those from one member to another in their order, as the inbox of a shard gives
them.
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
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Standing
from shared.errors import PermanentError
from shared.point_events import EventData
from tests.support.model.books import broken
from tests.support.model.event_checks import refused_badly, told_badly
from tests.support.model.mailbox import Pair, Post
from tests.support.stored_rows import StoredRows


@dataclass
class Core:
    """All members of one program, as the services' tables would hold them."""

    versions: Versions
    events: list[EventData] = field(default_factory=list)
    latest: list[EventData] = field(default_factory=list)
    post: Post[Fact] = field(default_factory=Post)

    def __post_init__(self) -> None:
        self._stored = StoredRows(self.versions.all[0].name)
        self.standings = self._stored.standings
        self.rows = self._stored.keys

    def standing(self, member: str) -> Standing | None:
        """What is saved of a member."""
        return self.standings.get(member)

    def row(self, key: BusinessKey) -> KeyRow | None:
        """The row of a business key."""
        return self.rows.get(key)

    def lots_of(self, member: str) -> list[Lot]:
        """All lots of a member, by number."""
        return [lot for _, lot in sorted(self._stored.lots.get(member, {}).items())]

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
        try:
            decision = self._stored.decide(
                fact.member, needs(fact).keys, lambda rows: work(self.versions, standing, rows, fact, decided_at)
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
        moved = self._stored.decide(member, (), lambda rows: advance(self.versions, standing, rows, until))
        self._save(member, moved, None)

    def _save(self, member: str, decision: Decision, fact: Fact | None) -> None:
        before = self.standing(member)
        self._stored.save(decision)
        lots = self.lots_of(member)
        found = broken(before, decision.standing, decision.events, lots)
        found += told_badly(fact, self.versions, before, decision.standing, decision.events, decision.keys, lots)
        assert not found, "\n".join(found)
        self.latest = decision.events
        self.events += decision.events
        for message in decision.messages:
            written = msgspec.msgpack.encode(LoggedFact.of(message))
            self.post.send(member, restored_fact(msgspec.msgpack.decode(written), message.program, message.member))
