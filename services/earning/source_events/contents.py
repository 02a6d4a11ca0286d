"""Contents of rows as a claim's message says them: what is known of a business key, one class a kind (`handover.py`).

They are made from the classes that are stored (`state/keys.py`): the same fields, but by their names, not by their
place. So a change of what is stored would change a message that lies in the log for ever; a contract test compares
each message's shape with the one that was released. A field that is stored under another name keeps the old one in
messages by `RENAMED`; what is to be said otherwise gets a message of a new type (`messages.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, reduce
from operator import or_
from types import GenericAlias, UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from services.earning.state.keys import (
    Done,
    KeyState,
    Pin,
    Referred,
    RefundedLine,
    RefundKnown,
    Reviewed,
    Sold,
    SoldLine,
    Take,
)

Names = Mapping[str, str]

RENAMED: Mapping[type[msgspec.Struct], Names] = {}
"""Stored class → stored name of a field → its name in messages, where the two differ."""

_LEFT_OUT: Mapping[type[msgspec.Struct], Mapping[str, object]] = {
    SoldLine: {"categories": (), "quantity": 1, "subtotal": 0, "discount": 0, "tax": 0, "gift_card": False},
    Sold: {
        "lines": (),
        "discount": 0,
        "shipping": 0,
        "shipping_tax": 0,
        "prices_include_tax": False,
        "points_payment": 0,
        "rate": None,
        "test": False,
    },
    RefundedLine: {"amount": 0, "quantity": None, "tax": 0},
    RefundKnown: {"lines": (), "amount": None, "shipping": 0, "tender": "cash"},
    Pin: {"tier": "", "segments": (), "first_order": False, "channel": None, "store": None},
    Take: {"expires_at": None, "follows": False, "extended": False},
    Reviewed: {"photos": 0, "videos": 0, "verified": False, "length": 0},
    Done: {"quantity": 1, "attributes": {}},
    Referred: {"signals": ()},
}
"""Stored class → its fields that always are stored, and are left out of a message where they have this value."""


@cache
def said_by_name(stored: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The class that says in a message what an array is in the store, and the same of all that is inside it."""
    return named(stored, RENAMED.get(stored, {}))


def named(stored: type[msgspec.Struct], names: Names) -> type[msgspec.Struct]:
    """Likewise, with other names for some fields: stored name → name in the message."""
    left_out = _LEFT_OUT.get(stored, {})
    return msgspec.defstruct(
        stored.__name__,
        [_field(field, left_out) for field in msgspec.structs.fields(stored)],
        module=__name__,
        tag=stored.__struct_config__.tag,
        rename=names,
        frozen=True,
        omit_defaults=True,
    )


def _field(field: FieldInfo, left_out: Mapping[str, object]) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = _kind(field.type)
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    default = left_out.get(field.name, default)
    if default is msgspec.NODEFAULT:
        return field.name, kind
    return field.name, kind, msgspec.convert(default, kind, from_attributes=True)


def _kind(stored: Any) -> Any:  # noqa: ANN401 (an annotation of any form)
    """An annotation with classes of messages in the place of stored ones, and nothing that can be changed."""
    if isinstance(stored, type) and issubclass(stored, msgspec.Struct):
        return said_by_name(stored)
    origin, parts = get_origin(stored), tuple(map(_kind, get_args(stored)))
    if origin is None:
        return stored
    if origin is UnionType:
        return reduce(or_, parts)
    return GenericAlias(tuple, (parts[0], ...)) if origin is list else GenericAlias(origin, parts)


CONTENTS: Mapping[type[KeyState], type[msgspec.Struct]] = {state: said_by_name(state) for state in get_args(KeyState)}
"""What is stored of a key → what is said of it."""

if TYPE_CHECKING:
    Content = msgspec.Struct
else:
    Content = reduce(or_, CONTENTS.values())
    """What is known of a business key, told apart by `type`."""
