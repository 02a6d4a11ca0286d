"""Kinds of values that facts are made of, with their limits: where a fact's struct takes its fields' types from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

ID_LENGTH_MAX = 200
LINES_MAX = 1_000
LIST_LENGTH_MAX = 100
QUANTITY_MAX = 1_000_000_000
REVISION_MAX = 2**53 - 1

Id = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
"""An id or a short label, 1 to 200 characters."""

Ids = Annotated[tuple[Id, ...], Meta(max_length=LIST_LENGTH_MAX)]
"""At most 100 ids or labels."""

Money = str
"""Decimal text; `shared.money.micros` proved it readable before a decision sees it."""

Instant = Annotated[datetime, Meta(tz=True)]
"""A time with an offset; in UTC before a decision sees it."""

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

Why = Annotated[str, Meta(max_length=ID_LENGTH_MAX)]
"""Why a person did it: a code or a few words without personal data; a check refuses an empty one."""

SCALE_MAX = 100
"""The highest rating of any shop's scale."""

Rating = Annotated[int, Meta(ge=0, le=SCALE_MAX)]
Count = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]

Row = Annotated[int, Meta(ge=0, le=REVISION_MAX)] | Id
"""A row of an import: its number or its id; 7 and "7" are the same row."""
