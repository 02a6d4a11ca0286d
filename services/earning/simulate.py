"""Simulate: facts in order of arrival on a ledger in memory, one at a time; no servers, no clock.

So a program can be tried, and the same facts give the same awards as in the pipeline.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from services.earning.decide import Decision, Outcome, advance, decide, decide_message, needs
from services.earning.ledger.ledger import DecideFact, Ledger, deciding
from services.earning.ledger.memory import MemoryRows, at_once
from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from services.earning.state.standing import Rows, Standing
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


class Run(NamedTuple):
    """A whole run: a ruling for each input, the events of bringing members up to an instant, and what is known then."""

    rulings: list[Ruling]
    closing: dict[MemberKey, list[EventData]]
    rows: MemoryRows


def run(programs: Mapping[str, Versions], arrivals: Iterable[Arrival], until: datetime | None = None) -> Run:
    """Decide each input in its order, then bring every member up to `until` (aware), where it is given."""
    rows = MemoryRows(shards=1)
    ledger = Ledger(rows, rows)
    rulings = [_ruling(programs, ledger, arrival) for arrival in arrivals]
    closing = {} if until is None else _close(programs, ledger, rows.standings, until)
    return Run(rulings, closing, rows)


def _ruling(programs: Mapping[str, Versions], ledger: Ledger, arrival: Arrival) -> Ruling:
    try:
        if isinstance(arrival.fact, PermanentError):
            raise arrival.fact
        decision = _decide(programs, ledger, arrival.fact, decide)
    except PermanentError as refusal:
        return Ruling(arrival, None, [], refusal)
    return Ruling(arrival, decision.outcome, [*decision.events, *_told(programs, ledger, decision)], None)


def _told(programs: Mapping[str, Versions], ledger: Ledger, decision: Decision) -> list[EventData]:
    """What a decision's messages mean for other members, at once, and what theirs mean in turn."""
    events: list[EventData] = []
    waiting = deque(decision.messages)
    while waiting:
        following = _decide(programs, ledger, waiting.popleft(), decide_message)
        events += following.events
        waiting += following.messages
    return events


def _decide(programs: Mapping[str, Versions], ledger: Ledger, fact: Fact, work: DecideFact) -> Decision:
    versions = programs.get(fact.program)
    if versions is None:
        raise PermanentError(
            Reason.UNKNOWN_PROGRAM,
            f"no program is called {fact.program!r} here",
            field="program",
            cure="Give its file.",
        )
    member = ledger.member(fact.program, fact.member)
    decision = at_once(ledger.decide(member, needs(fact).keys, deciding(work, versions, member.standing, fact)))
    ledger.keep(member, decision)
    return decision


def _close(
    programs: Mapping[str, Versions], ledger: Ledger, standings: Mapping[MemberKey, Standing], until: datetime
) -> dict[MemberKey, list[EventData]]:
    closing: dict[MemberKey, list[EventData]] = {}
    for of, standing in sorted(standings.items()):
        if standing.clock >= until:
            continue
        member = ledger.member(*of)
        decision = at_once(ledger.decide(member, (), partial(_advance, programs[member.program], standing, until)))
        ledger.keep(member, decision)
        if decision.events:
            closing[of] = decision.events
    return closing


def _advance(versions: Versions, standing: Standing, until: datetime, rows: Rows) -> Decision:
    return advance(versions, standing, rows, until)
