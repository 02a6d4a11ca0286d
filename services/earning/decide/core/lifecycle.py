"""Lifecycles: whether something that is told to begin and to end stands now, in whatever order that was told.

Rules 25 and 27.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime

from services.earning.source_events.facts import Fact
from services.earning.state.keys import Change


def with_change(changes: list[Change], fact: Fact, status: str, rank: int, content_hash: int) -> list[Change] | None:
    """The changes known with one more, in their total order; None: it is known already."""
    change = Change(fact.occurred_at, 0, rank, content_hash, status)
    return None if change in changes else sorted([*changes, change])


def is_active(changes: list[Change], begins: str, ends: str) -> bool:
    """Whether it stands: nothing ended it, or it began anew since."""
    for change in reversed(changes):
        if change.status in {begins, ends}:
            return change.status == begins
    return True


def first_seen_at(changes: list[Change], but: Container[str]) -> datetime | None:
    """When it was there first, by all that is known; what ended it doesn't say that."""
    return next((change.time for change in changes if change.status not in but), None)
