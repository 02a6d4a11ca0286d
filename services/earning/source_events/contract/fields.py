"""Kinds of fields that several facts share, each with its limits, and the CloudEvents envelope around every fact."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.earning.source_events.checks import check_currency, check_rate, utc
from services.earning.source_events.envelope import check_name
from shared.errors import PermanentError
from shared.facts import values as kinds
from shared.money import micros
from shared.reasons import Reason


class Contract(BaseModel):
    """The manner of every contract: types are never coerced, unknown fields are left out."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


def refusing(check: Callable[[Any], object]) -> Callable[[Any], Any]:
    """A validator that lets a value through as it is, unless `check` raises PermanentError."""

    def validate(value: object) -> object:
        try:
            check(value)
        except PermanentError as error:
            raise custom(error.reason, error.message) from error
        return value

    return validate


def custom(reason: str, message: str) -> PydanticCustomError:
    """An error that keeps its reason code through pydantic."""
    return PydanticCustomError(str(reason), "{message}", {"message": message})


def _text_not_number(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise custom(Reason.MONEY_NOT_TEXT, f"{value} is a JSON number; send a decimal in quotes")
    return value


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise custom(Reason.WRONG_TYPE, "a time is text")
    try:
        return utc(msgspec.convert(value, kinds.Instant))
    except msgspec.ValidationError as error:
        raise custom(Reason.INVALID_TIME, f"{value!r} is not an RFC 3339 time with an offset") from error
    except PermanentError as error:
        raise custom(error.reason, error.message) from error


_AMOUNT_SCHEMA = {
    "type": "string",
    "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6}0*)?$",
    "description": "Decimal text, never a JSON number; at most 6 decimal places.",
    "examples": ["19.99"],
}

Id = Annotated[str, Field(min_length=1, max_length=kinds.ID_LENGTH_MAX)]
Ids = Annotated[tuple[Id, ...], Field(max_length=kinds.LIST_LENGTH_MAX)]
Flags = Annotated[dict[Id, bool], Field(max_length=kinds.LIST_LENGTH_MAX)]
Labels = Annotated[
    dict[Id, Annotated[str, Field(max_length=kinds.ID_LENGTH_MAX)]], Field(max_length=kinds.LIST_LENGTH_MAX)
]
Name = Annotated[
    Id, AfterValidator(refusing(check_name)), Field(json_schema_extra={"pattern": r"^[^/\u0000-\u001f\u007f-\u009f]+$"})
]
Money = Annotated[
    str, AfterValidator(refusing(micros)), BeforeValidator(_text_not_number), WithJsonSchema(_AMOUNT_SCHEMA)
]
Rate = Annotated[
    str, AfterValidator(refusing(check_rate)), BeforeValidator(_text_not_number), WithJsonSchema(_AMOUNT_SCHEMA)
]
Currency = Annotated[str, AfterValidator(refusing(check_currency)), Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})]
Instant = Annotated[datetime, PlainValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
Quantity = Annotated[int, Field(ge=0, le=kinds.QUANTITY_MAX)]
Count = Annotated[int, Field(ge=0, le=kinds.QUANTITY_MAX)]
Rating = Annotated[int, Field(ge=0, le=kinds.SCALE_MAX)]
Points = Annotated[int, Field(ge=-kinds.POINTS_MAX, le=kinds.POINTS_MAX)]
PointsHeld = Annotated[int, Field(ge=0, le=kinds.POINTS_MAX)]
PointsGiven = Annotated[int, Field(ge=1, le=kinds.POINTS_MAX)]
Why = Annotated[str, Field(max_length=kinds.ID_LENGTH_MAX)]
Revision = Annotated[int, Field(ge=0, le=kinds.REVISION_MAX)]
Row = Revision | Id

D = TypeVar("D", bound=Contract)


class Envelope(Contract, Generic[D]):
    """CloudEvents 1.0: what every fact says about itself. In binary mode these are headers named `ce_…`."""

    specversion: Literal["1.0"] = Field(description="The version of CloudEvents.")
    type: str
    id: Id = Field(description="The event's own id, for tracing; the effect is once per business key, not per id.")
    source: Id = Field(description="The shop that the fact is about, never the adapter that sent it.")
    subject: Name = Field(description="The member's id in the program; opaque, no personal data.", examples=["m-1001"])
    time: Instant = Field(
        description="When it happened or changed at the shop (not when it was sent), RFC 3339 with offset.",
        examples=["2026-01-31T15:00:00+01:00"],
    )
    program: Name = Field(description="The loyalty program (a CloudEvents extension).", examples=["grocer"])
    data: D = Field(description="The fact itself.")
