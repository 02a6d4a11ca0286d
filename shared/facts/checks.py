"""Checks of single values that their types can't say: money's rate, currency, names, time, lines told apart.

A kind of value names its check (`shared.facts.values`); which field is at fault, `shared.facts.explain` finds out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from shared.currencies import PLACES
from shared.errors import PermanentError
from shared.money import micros
from shared.reasons import Reason

YEAR_MIN = 1970
YEAR_MAX = 2199

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class HasLineId(Protocol):
    """A line of an order."""

    @property
    def line_id(self) -> str:
        """Names the line within its order."""


def utc(instant: datetime) -> datetime:
    """The same instant in UTC.

    Raises:
        PermanentError: `invalid_time` outside of the years 1970 to 2199, where a unit must be mistaken.
    """
    if not YEAR_MIN <= instant.year <= YEAR_MAX:
        raise PermanentError(Reason.INVALID_TIME, f"{instant.isoformat()} is outside of {YEAR_MIN} to {YEAR_MAX}")
    return instant if instant.tzinfo is UTC else instant.astimezone(UTC)


def check_name(name: str) -> None:
    """Refuse a program or member that can't be part of a key: `/` separates the two, and control characters hide.

    Raises:
        PermanentError: `out_of_range`, or `invalid_text` for control characters.
    """
    if "/" in name:
        raise PermanentError(Reason.OUT_OF_RANGE, f"{name!r} holds a slash")
    if not name.isprintable() and _CONTROL.search(name):
        raise PermanentError(Reason.INVALID_TEXT, f"{name!r} holds a control character")


def check_currency(code: str) -> None:
    """Refuse what is no ISO 4217 code.

    Raises:
        PermanentError: `unknown_currency`.
    """
    if code not in PLACES:
        raise PermanentError(Reason.UNKNOWN_CURRENCY, f"{code!r} is not an ISO 4217 currency code")


def check_rate(rate: str) -> None:
    """Refuse an exchange rate that is no decimal text, or 0.

    Raises:
        PermanentError: as `shared.money.micros`, and `out_of_range` for 0.
    """
    if not micros(rate):
        raise PermanentError(Reason.OUT_OF_RANGE, "an exchange rate is more than 0")


def check_line_ids(lines: Sequence[HasLineId]) -> None:
    """Refuse two lines of one id.

    Raises:
        PermanentError: `duplicate_line`.
    """
    if len({line.line_id for line in lines}) < len(lines):
        raise PermanentError(Reason.DUPLICATE_LINE, "two lines share a line_id")


def check_given(value: object) -> None:
    """Refuse an adjustment of 0 points, or one without a reason.

    Raises:
        PermanentError: `invalid_fact`.
    """
    if not value:
        raise PermanentError(Reason.INVALID_FACT, "it must say how many points, and why")
