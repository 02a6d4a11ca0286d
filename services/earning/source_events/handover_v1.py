"""The first message of what a claimed id hands over: state as earning stored it then. It is read, and never written.

Lots, books and what is inside them are arrays there, in the order of the fields in `handover.py` and of the classes
that `contents.py` makes.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

from services.earning.source_events.contents import CONTENTS
from services.earning.source_events.handover import AccountGiven, ClaimGiven, LotGiven

Plain = dict[str, Any]


class ClaimGivenV1(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`tallystick.claim.given.v1`: the plain values as they lie in the log, so that they come out as they went in."""

    guest: str
    part: int
    parts: int
    lots_made: int
    lots: tuple[list[Any], ...] = ()
    rows: tuple[Plain, ...] = ()
    standing: Plain | None = None


_CONTENTS = {str(kind.__struct_config__.tag): inspect.type_info(kind) for kind in CONTENTS.values()}
_LOT, _ACCOUNT = inspect.type_info(LotGiven), inspect.type_info(AccountGiven)


def upgraded(data: ClaimGivenV1) -> ClaimGiven:
    """The same in the words of today's message.

    Raises:
        msgspec.ValidationError, KeyError, ValueError: it was not written so.
    """
    standing = data.standing
    said = {
        "guest": data.guest,
        "part": data.part,
        "parts": data.parts,
        "lots_made": data.lots_made,
        "lots": [_named([lot, key[1:], *rest], _LOT) for lot, key, *rest in data.lots],
        "rows": [_row(row) for row in data.rows],
        "account": None if standing is None else _account(standing),
    }
    return msgspec.convert(said, ClaimGiven)


def _row(row: Plain) -> Plain:
    _, source, kind, name = row["key"]
    tag, *book = row["book"]
    key = {"source": source, "kind": kind, "id": name}
    return {"key": key, "lots": row.get("lots", []), "content": {"type": tag, **_named(book, _CONTENTS[tag])}}


def _account(standing: Plain) -> Plain:
    balances = standing["balances"]
    forgiven = balances.get("forgiven", 0) + standing.get("forgiven_moved", 0)
    said: Plain = _named(standing, _ACCOUNT)
    return said | {"owed": balances.get("deficit", 0), "forgiven": forgiven}


def _named(value: Any, kind: inspect.Type) -> Any:  # noqa: ANN401 (plain values of any shape)
    """A value with the names of its fields where it had only their order."""
    if value is None:
        return None
    if isinstance(kind, inspect.UnionType):
        return _named(value, next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    if isinstance(kind, inspect.StructType):
        types = {field.encode_name: field.type for field in kind.fields}
        given = value.items() if isinstance(value, dict) else zip(types, value, strict=True)
        return {name: _named(part, types[name]) for name, part in given if name in types}
    if isinstance(kind, inspect.VarTupleType):
        return [_named(part, kind.item_type) for part in value]
    if isinstance(kind, inspect.DictType):
        return {name: _named(part, kind.value_type) for name, part in value.items()}
    return value
