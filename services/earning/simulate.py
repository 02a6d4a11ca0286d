"""Simulate: the pure core alone over facts in order of arrival, with its rows in dictionaries; no servers, no clock.

What the shells do for `decide` in Postgres is done here in memory, one fact at a time; so a program can be tried, and
the same facts give the same awards as in the pipeline.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

import msgspec

from services.earning.decide import Decision, Outcome, advance, decide, decide_message, needs
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Rows, RowsMissingError, Standing
from shared.errors import PermanentError
from shared.point_events import EventData
from shared.reasons import Reason

MemberKey = tuple[str, str]
"""Program and member."""


class Arrival(NamedTuple):
    """An input in order of arrival: its number as its reader counts, and the fact, or why it can't be read."""

    number: int
    fact: Fact | PermanentError


class Ruling(NamedTuple):
    """What became of an input: its outcome and point events, or the reason why it is a dead letter.

    Among the events are those of other members for whom it means something.
    """

    arrival: Arrival
    outcome: Outcome | None
    events: list[EventData]
    dead_letter: PermanentError | None


class Ledger(msgspec.Struct):
    """What is known after the facts so far: standings, lots by member and number, and the rows of business keys."""

    standings: dict[MemberKey, Standing] = {}
    lots: dict[MemberKey, dict[int, Lot]] = {}
    keys: dict[BusinessKey, KeyRow] = {}

    def keep(self, decision: Decision) -> None:
        """Take over what a decision changed."""
        member = (decision.standing.program, decision.standing.member)
        self.standings[member] = decision.standing
        self.lots.setdefault(member, {}).update(decision.lots)
        self.keys.update(decision.keys)


class Run(NamedTuple):
    """A whole run: a ruling for each input, the events of bringing members up to an instant, and what is known then."""

    rulings: list[Ruling]
    closing: dict[MemberKey, list[EventData]]
    ledger: Ledger


def run(programs: Mapping[str, Versions], arrivals: Iterable[Arrival], until: datetime | None = None) -> Run:
    """Decide each input in its order, then bring every member up to `until` (aware), where it is given."""
    ledger = Ledger()
    rulings = [_ruling(programs, ledger, arrival) for arrival in arrivals]
    closing = {} if until is None else _close(programs, ledger, until)
    return Run(rulings, closing, ledger)


def _ruling(programs: Mapping[str, Versions], ledger: Ledger, arrival: Arrival) -> Ruling:
    try:
        if isinstance(arrival.fact, PermanentError):
            raise arrival.fact
        decision = _decide(programs, ledger, arrival.fact, decide)
    except PermanentError as refusal:
        return Ruling(arrival, None, [], refusal)
    ledger.keep(decision)
    return Ruling(arrival, decision.outcome, [*decision.events, *_told(programs, ledger, decision)], None)


def _told(programs: Mapping[str, Versions], ledger: Ledger, decision: Decision) -> list[EventData]:
    """What a decision's messages mean for other members, at once, and what theirs mean in turn."""
    events: list[EventData] = []
    waiting = deque(decision.messages)
    while waiting:
        following = _decide(programs, ledger, waiting.popleft(), decide_message)
        ledger.keep(following)
        events += following.events
        waiting += following.messages
    return events


def _decide(programs: Mapping[str, Versions], ledger: Ledger, fact: Fact, work: Callable[..., Decision]) -> Decision:
    versions = programs.get(fact.program)
    if versions is None:
        raise PermanentError(
            Reason.UNKNOWN_PROGRAM,
            f"no program is called {fact.program!r} here",
            field="program",
            cure="Give its file.",
        )
    standing = ledger.standings.get((fact.program, fact.member))
    decided_at = fact.received_at if standing is None else max(standing.decided_at, fact.received_at)
    member = (fact.program, fact.member)
    return _supplied(ledger, member, needs(fact).keys, lambda rows: work(versions, standing, rows, fact, decided_at))


def _supplied(
    ledger: Ledger, member: MemberKey, keys: tuple[BusinessKey, ...], decided: Callable[[Rows], Decision]
) -> Decision:
    """A decision given all of the member's lots and the rows named; more rows as it asks for them."""
    asked, every_row = frozenset(keys), False
    while True:
        known = {key: ledger.keys[key] for key in asked if key in ledger.keys}
        try:
            return decided(
                Rows(keys=known, lots=ledger.lots.get(member, {}), all_lots=True, asked=asked, all_keys=every_row)
            )
        except RowsMissingError as missing:
            if missing.every_row:
                asked |= {key for key, row in ledger.keys.items() if (key.program, row.member) == member}
                every_row = True
                continue
            if not missing.keys or asked.issuperset(missing.keys):
                raise
            asked = asked.union(missing.keys)


def _advance(versions: Versions, standing: Standing, until: datetime, rows: Rows) -> Decision:
    return advance(versions, standing, rows, until)


def _close(programs: Mapping[str, Versions], ledger: Ledger, until: datetime) -> dict[MemberKey, list[EventData]]:
    closing: dict[MemberKey, list[EventData]] = {}
    for member, standing in sorted(ledger.standings.items()):
        if standing.clock >= until:
            continue
        decision = _supplied(ledger, member, (), partial(_advance, programs[member[0]], standing, until))
        ledger.keep(decision)
        if decision.events:
            closing[member] = decision.events
    return closing
