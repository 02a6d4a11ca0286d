"""Decisions: what `needs` asks for and what `decide` and `advance` give back."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from services.earning.source_events.facts import Fact
from services.earning.state.standing import BusinessKey, KeyRow, Lot, Standing
from shared.point_events import EventData

SETTLE = timedelta(hours=1)
"""How long a member's dues wait for late facts before a later decision works them off."""


class Outcome(StrEnum):
    """What became of an input; with dead letters these add up to the input."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class Needs(NamedTuple):
    """The rows a fact's decision reads: business keys, with all lots their rows name."""

    keys: tuple[BusinessKey, ...]


class Decision(msgspec.Struct):
    """What changes: the standing afterwards, rows and lots to save, and the point events, in order, without positions.

    `messages` say what it means for other members: each is decided for its member, in a transaction of its own.
    Rows that are `gone` belong to another member from now on, who takes them over.

    Inputs are never changed in place: a decision that fails leaves nothing behind.
    """

    standing: Standing
    keys: dict[BusinessKey, KeyRow]
    lots: dict[int, Lot]
    events: list[EventData]
    outcome: Outcome
    messages: list[Fact] = []
    gone: frozenset[BusinessKey] = frozenset()
