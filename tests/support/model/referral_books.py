"""What the naive model remembers of referrals on both of their sides, and what these tell each other (rules 26, 67)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.earning.program.terms import Program
from services.earning.source_events.facts import Fact


@dataclass(frozen=True)
class Question:
    """To a referrer: whether a referral qualifies, by which order, and how long its points wait; the newest counts."""

    qualifies: bool = False
    order_id: str = ""
    when: datetime | None = None
    waits: bool = False
    release_at: datetime | None = None
    unblocked: bool = False
    version: int = 0


@dataclass(frozen=True)
class Answer:
    """To a referee: what became of a question, by its version."""

    version: int
    blocked: str = ""


@dataclass
class NaiveReferral:
    """A referral at its referee: its facts, what was asked last, and what the answer was.

    `since` is the version of the question since which it qualifies without a break; `named` the order it follows.
    """

    facts: list[Fact] = field(default_factory=list)
    referrer: str = ""
    is_new: bool | None = None
    named: str = ""
    asked: Question = Question()
    since: int = 0
    answered: int = 0
    granted: bool = False
    blocked: str = ""


@dataclass
class NaiveReferred:
    """A referral at its referrer: the newest question known, and whether there was room."""

    version: int = 0
    counts: bool = False
    refused: bool = False
    place: str = ""


@dataclass(frozen=True)
class NaiveReward:
    """What one side has of a referral, by which version of the program, in the window of which instant."""

    when: datetime
    points: int
    program: Program
