"""Dues: what happens to a member because its time has come, in the order of instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from services.earning.decide.draft import DUE, Draft
from services.earning.decide.tiers import evaluate, ladder_of, lift, tier_due
from services.earning.program.terms import Versions

Due = tuple[datetime, int, Callable[[], None]]
"""An instant, the rank of its kind among those of the same instant, and what to do."""

RELEASE, EXPIRE, TIER, VERSION = range(4)


def work_off(draft: Draft, versions: Versions, until: datetime) -> None:
    """Do all that is due up to an instant, inclusive, and bring the standing's clock there.

    Each event is booked at its own instant (never before the member's last booking), so that who works it off, and how
    late, leaves no trace.
    """
    standing = draft.standing
    while (due := _next(draft, versions, until)) is not None:
        instant, _, work = due
        standing.clock = instant
        draft.at(instant, max(standing.decided_at, instant), DUE)
        work()
        plan_next(draft, versions)
    standing.clock = max(standing.clock, until)


def plan_next(draft: Draft, versions: Versions) -> None:
    """Write down when the member is due next."""
    standing = draft.standing
    standing.next_due = tier_due(standing, ladder_of(versions.at(standing.clock)))


def _next(draft: Draft, versions: Versions, until: datetime) -> Due | None:
    """The first of what is due, if it is due by then."""
    standing = draft.standing
    due: Due | None = None
    instant = standing.next_due
    if instant is not None and instant <= until:
        due = (instant, TIER, partial(_evaluate, draft, versions))
    for program in versions.all:
        begins = program.in_force_from
        if standing.clock < begins <= until and (due is None or begins < due[0]) and versions.at(begins) is program:
            due = (begins, VERSION, partial(_take_force, draft, versions))
    return due


def _evaluate(draft: Draft, versions: Versions) -> None:
    ladder = ladder_of(versions.at(draft.standing.clock))
    if ladder is not None:
        evaluate(draft, ladder)


def _take_force(draft: Draft, versions: Versions) -> None:
    ladder = ladder_of(versions.at(draft.standing.clock))
    if ladder is not None:
        lift(draft, ladder)
