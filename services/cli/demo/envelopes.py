"""Envelopes: how the demo's facts are wrapped, and what all of them have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.facts.builders import Publisher

PROGRAM = "grocer"
ZONE = ZoneInfo("America/New_York")
SEED = 2017
"""Of everything the data set doesn't have; the same seed gives the same file, byte for byte."""

YEAR_END = datetime(2018, 1, 1, tzinfo=ZONE).astimezone(UTC)

Event = dict[str, Any]

_TILLS = Publisher(PROGRAM, "grocer-tills")


def member_of(household: int) -> str:
    """A household's id in the program."""
    return f"household-{household}"


def fact(kind: str, number: str, household: int, time: datetime, data: Event) -> Event:
    """A fact about a household: `kind` is its type without version, `number` its id."""
    return _TILLS.event(
        f"{kind}.v1",
        data,
        id=number,
        member=member_of(household),
        time=time.astimezone(ZONE),
        datacontenttype="application/json",
    )


def late(event: Event, arrival: datetime) -> Event:
    """The same fact, arriving later than it happened."""
    return event | {"receivedat": arrival.astimezone(ZONE).isoformat()}
