"""The values in a document: rates, money, instants, zones, hours; read exactly, refused with the cure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.earning.program.zones import zone, zone_names
from shared.currencies import PLACES
from shared.errors import PermanentError
from shared.money import decimal, micros

PART_MAX = 1_000_000_000
"""The largest numerator and denominator of a rate in lowest terms: exact arithmetic stays fast within it."""

YEAR_MIN, YEAR_MAX = 1970, 2199
"""The years that instants may be in, as in facts."""

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})\Z", re.ASCII)
_RATE_TEXT = re.compile(r"\d{1,10}(?:\.\d{1,9}|/[1-9]\d{0,9})?\Z", re.ASCII)
_HOURS = re.compile(r"([01]\d|2[0-3]):00-((?:[01]\d|2[0-3]):00|24:00)\Z", re.ASCII)
_INSTANT_EXAMPLE = "2027-01-01T00:00:00-05:00"
_DAY_HOURS = 24


def refusal(message: str, cure: str) -> PydanticCustomError:
    """The error a validator raises: its message and cure reach the reader as they are."""
    return PydanticCustomError("program", "{message}", {"message": message, "cure": cure})


def near(word: str, known: Iterable[str]) -> str:
    """`Did you mean x?` where a known word is close to this one; else empty."""
    folded = {name.lower(): name for name in sorted(known, reverse=True)}
    close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f"Did you mean `{folded[close[0]]}`?" if close else ""


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def rate_text(rate: Fraction) -> str:
    """A rate as its shortest exact text: `1.25`, or `1/3` where no decimal is exact."""
    remainder = rate.denominator
    for prime in (2, 5):
        while remainder % prime == 0:
            remainder //= prime
    if remainder != 1:
        return f"{rate.numerator}/{rate.denominator}"
    text = format(Decimal(rate.numerator) / Decimal(rate.denominator), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_rate(value: object) -> Fraction:
    """`1`, `1.25` or `"1/3"` as an exact fraction above 0."""
    text = str(value).replace(" ", "") if isinstance(value, str | int | Decimal) else ""
    if isinstance(value, bool) or not _RATE_TEXT.match(text):
        raise refusal(f"{_shown(value)} is not a positive number", "Write 1, 1.25, or a fraction such as 1/3.")
    rate = Fraction(text)
    if rate == 0:
        raise refusal("0 would never earn anything", "Write a number above 0, or leave the entry out.")
    if max(rate.numerator, rate.denominator) > PART_MAX:
        raise refusal(f"{_shown(value)} is too large or too fine", "Write it with fewer digits.")
    return rate


def read_money(value: object) -> int:
    """An amount in the program's currency (`20`, `19.99`, `"19.99"`) as micros, not negative."""
    refused = refusal(f"{_shown(value)} is not an amount of money", "Write a number such as 20 or 19.99.")
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise refused
    try:
        return micros(str(value))
    except PermanentError as error:
        raise refused from error


def read_instant(value: object) -> datetime:
    """RFC 3339 with an offset, as written: the offset is kept for the reader's eyes."""
    cure = f"Write date, time and offset, such as {_INSTANT_EXAMPLE}."
    if not isinstance(value, str) or not _INSTANT.match(value):
        raise refusal(f"{_shown(value)} is not an instant", cure)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise refusal(f"{value!r} is not an instant ({error})", cure) from error
    if not YEAR_MIN <= instant.year <= YEAR_MAX:
        raise refusal(f"{value!r} is outside the years {YEAR_MIN} to {YEAR_MAX}", cure)
    return instant


def read_zone(value: object) -> str:
    """The name of a time zone that the pinned tzdata knows."""
    try:
        zone(str(value))
    except KeyError as error:
        cure = near(str(value), zone_names()) or "Write an IANA name such as Europe/Berlin."
        raise refusal(f"{_shown(value)} is not a time zone", cure) from error
    return str(value)


def read_currency(value: object) -> str:
    """An ISO 4217 code that we know the decimal places of."""
    if not isinstance(value, str) or value not in PLACES:
        cure = near(str(value), PLACES) if isinstance(value, str) else ""
        raise refusal(f"{_shown(value)} is not a currency", cure or "Write the three letters of ISO 4217, such as USD.")
    return value


def read_hours(value: object) -> str:
    """A span of local hours, `17:00-20:00`: from its start up to, not including, its end; it may run over midnight."""
    match = _HOURS.match(value) if isinstance(value, str) else None
    if match is None:
        raise refusal(f"{_shown(value)} is not a span of hours", 'Write whole hours such as "17:00-20:00".')
    if match[1] == match[2][:2]:
        raise refusal(f"{value!r} holds no hour", 'Write whole hours such as "17:00-20:00".')
    return match[0]


def hours_of(span: str) -> frozenset[int]:
    """The local hours of a span: `22:00-01:00` → {22, 23, 0}."""
    first, end = int(span[:2]), int(span[6:8])
    count = (end - first) % _DAY_HOURS or _DAY_HOURS
    return frozenset((first + i) % _DAY_HOURS for i in range(count))


def _shown(value: object) -> str:
    """A value as its author wrote it, cut short."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case list() | dict():
            return "a list" if isinstance(value, list) else "a group of settings"
        case _:
            return (repr(value) if isinstance(value, str) else str(value))[:80]


_RATE_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": PART_MAX},
        {"type": "string", "pattern": r"^\d{1,10}(\.\d{1,9}| ?/ ?[1-9]\d{0,9})?$"},
    ],
    "examples": [1, 1.25, "1/3"],
}
_MONEY_SCHEMA = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d{1,12}(\.\d+)?$"}],
    "examples": [20, 19.99],
}
_INSTANT_SCHEMA = {"type": "string", "format": "date-time", "examples": [_INSTANT_EXAMPLE]}
_HOURS_SCHEMA = {
    "type": "string",
    "pattern": r"^([01]\d|2[0-3]):00-(([01]\d|2[0-3]):00|24:00)$",
    "examples": ["17:00-20:00"],
}

Rate = Annotated[
    Fraction, PlainValidator(read_rate), PlainSerializer(rate_text, return_type=str), WithJsonSchema(_RATE_SCHEMA)
]
Money = Annotated[
    int, PlainValidator(read_money), PlainSerializer(decimal, return_type=str), WithJsonSchema(_MONEY_SCHEMA)
]
Instant = Annotated[
    datetime,
    PlainValidator(read_instant),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema(_INSTANT_SCHEMA),
]
Zone = Annotated[
    str,
    PlainValidator(read_zone),
    WithJsonSchema({"type": "string", "examples": ["America/New_York", "Europe/Berlin"]}),
]
Currency = Annotated[
    str, PlainValidator(read_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]})
]
Hours = Annotated[str, PlainValidator(read_hours), WithJsonSchema(_HOURS_SCHEMA)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
