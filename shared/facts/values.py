"""Kinds of values that facts are made of, each with its limits and its check: where a fact's fields take their types.

A check that a type can't say stands in `Meta(extra={"check": …})`. What is decoded, what is published as JSON Schema
and what is said of a refused value all come from here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from shared.facts.checks import check_currency, check_given, check_name, check_rate
from shared.money import micros

ID_LENGTH_MAX = 200
LINES_MAX = 1_000
LIST_LENGTH_MAX = 100
QUANTITY_MAX = 1_000_000_000
REVISION_MAX = 2**53 - 1

Id = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
"""An id or a short label, 1 to 200 characters."""

Ids = Annotated[tuple[Id, ...], Meta(max_length=LIST_LENGTH_MAX)]
"""At most 100 ids or labels."""

Name = Annotated[
    Id,
    Meta(extra={"check": check_name}, extra_json_schema={"pattern": r"^[^/\u0000-\u001f\u007f-\u009f]+$"}),
]
"""A program or a member: an id that can be part of a key."""

_AMOUNT = Meta(
    description="Decimal text, never a JSON number; at most 6 decimal places.",
    examples=["19.99"],
    extra_json_schema={"pattern": r"^[0-9]{1,12}(\.[0-9]{1,6}0*)?$"},
)

Money = Annotated[str, _AMOUNT, Meta(extra={"check": micros})]
"""Decimal text; `shared.money.micros` proved it readable before a decision sees it."""

Rate = Annotated[str, _AMOUNT, Meta(extra={"check": check_rate})]
"""Decimal text, as money; more than 0."""

Currency = Annotated[str, Meta(extra={"check": check_currency}, extra_json_schema={"pattern": "^[A-Z]{3}$"})]
"""An ISO 4217 code."""

Instant = Annotated[datetime, Meta(tz=True)]
"""A time with an offset, of the years 1970 to 2199; in UTC before a decision sees it."""

Quantity = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
Revision = Annotated[int, Meta(ge=0, le=REVISION_MAX)]
Labels = Annotated[dict[Id, Annotated[str, Meta(max_length=ID_LENGTH_MAX)]], Meta(max_length=LIST_LENGTH_MAX)]
"""At most 100 named texts of at most 200 characters."""

Flags = Annotated[dict[Id, bool], Meta(max_length=LIST_LENGTH_MAX)]
"""At most 100 named answers of yes or no."""

Status = Literal["pending", "paid", "fulfilled", "cancelled"]
Tender = Literal["cash", "store_credit"]

POINTS_MAX = 10**12
"""More than any program gives; sums of a member's points stay well within a database's integers."""

Points = Annotated[int, Meta(ge=-POINTS_MAX, le=POINTS_MAX)]
PointsHeld = Annotated[int, Meta(ge=0, le=POINTS_MAX)]
PointsGiven = Annotated[int, Meta(ge=1, le=POINTS_MAX)]
PointsMoved = Annotated[Points, Meta(extra={"check": check_given})]
"""Given (+) or taken (−), never 0."""

Why = Annotated[
    str,
    Meta(max_length=ID_LENGTH_MAX, extra={"check": check_given, "needed": True}, extra_json_schema={"minLength": 1}),
]
"""Why a person did it: a code or a few words without personal data.

It has a default, the empty text, so that leaving it out is refused as an empty one is: `needed` tells schemas so.
"""

SCALE_MAX = 100
"""The highest rating of any shop's scale."""

Rating = Annotated[int, Meta(ge=0, le=SCALE_MAX)]
Count = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]

Row = Revision | Id
"""A row of an import: its number or its id; 7 and "7" are the same row."""
