"""A program's settings for the life of a point, in the form that the naive model thinks in."""

from __future__ import annotations

from dataclasses import dataclass

from services.earning.program.terms import Program


@dataclass(frozen=True)
class Pending:
    """Whether points wait (rule 15): from payment or from fulfilment, and how many days."""

    waits: bool = False
    until_fulfilled: bool = False
    days: int = 0


@dataclass(frozen=True)
class Expiry:
    """How points end (rule 16): never, months after becoming available, or months without activity."""

    mode: str = "never"
    months: int = 0


def pending_of(program: Program) -> Pending:
    """The program's pending time."""
    del program
    return Pending()


def expiry_of(program: Program) -> Expiry:
    """The program's expiry."""
    del program
    return Expiry()
