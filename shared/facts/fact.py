"""What every fact is: a class that says its type and topic, and the CloudEvents envelope around its data.

To declare a class with a `TYPE` is all there is to a new fact: it is decoded, documented and routed from then on.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Union

import msgspec
from msgspec import Meta

from shared.facts.checking import check_values
from shared.facts.values import Id, Instant, Name

TopicName = Literal["orders", "reviews", "referrals", "activities", "commands"]
"""Whose topic a fact goes to, by its name among `shared.topics.Topics`."""

FACT_TYPES: dict[str, type[FactData]] = {}
"""CloudEvents type → the class of its data, in the order in which the classes were declared."""


class FactData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The data of a fact. A class that has a `TYPE` is one; its docstring and its fields' meanings are published.

    Its key is `program/member`, whatever the type: all that concerns a member is decided in one order.
    """

    TYPE: ClassVar[str]
    """CloudEvents type, with its version."""

    TOPIC: ClassVar[TopicName]

    def __init_subclass__(cls) -> None:
        if "TYPE" in cls.__dict__:
            FACT_TYPES[cls.TYPE] = cls
            structured.cache_clear()

    def check(self) -> None:
        """Refuse what types can't: by the checks that the kinds of its fields name. Its times are in UTC afterwards.

        A class adds here what concerns several fields at once.

        Raises:
            PermanentError: with the check's reason; without a field.
        """
        check_values(self)


class Attributes(msgspec.Struct, kw_only=True):
    """What says whose fact it is, and when it happened. The type is the tag of the envelope's class."""

    specversion: Annotated[Literal["1.0"], Meta(description="The version of CloudEvents.")]
    id: Annotated[
        Id, Meta(description="The event's own id, for tracing; the effect is once per business key, not per id.")
    ]
    source: Annotated[Id, Meta(description="The shop that the fact is about, never the adapter that sent it.")]
    subject: Annotated[
        Name, Meta(description="The member's id in the program; opaque, no personal data.", examples=["m-1001"])
    ]
    time: Annotated[
        Instant,
        Meta(
            description="When it happened or changed at the shop (not when it was sent), RFC 3339 with offset.",
            examples=["2026-01-31T15:00:00+01:00"],
        ),
    ]
    program: Annotated[Name, Meta(description="The loyalty program (a CloudEvents extension).", examples=["grocer"])]


@cache
def envelope_of(data_class: type[FactData]) -> type[msgspec.Struct]:
    """The class of a fact's whole envelope: its attributes, told apart by `type`, and its data."""
    return msgspec.defstruct(
        f"{data_class.__name__}Event",
        [("data", Annotated[data_class, Meta(description="The fact itself.")])],
        bases=(Attributes,),
        tag_field="type",
        tag=data_class.TYPE,
        kw_only=True,
    )


@cache
def structured() -> msgspec.json.Decoder[Any]:
    """The decoder of an envelope of any type, data included; made anew when a fact has been declared since."""
    return msgspec.json.Decoder(Union[tuple(map(envelope_of, FACT_TYPES.values()))])  # noqa: UP007 (made at run time)


@cache
def data_decoder(data_class: type[FactData]) -> msgspec.json.Decoder[Any]:
    """The decoder of a fact's data alone (binary mode)."""
    return msgspec.json.Decoder(data_class)
