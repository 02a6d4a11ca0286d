"""What a field's type says beside its shape, and the check of the values in a struct by it.

Which fields have checks is read from the class once. A refusal only says that something is wrong: `explain` finds out
where, since that costs more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from shared.facts.checks import utc

Check = Callable[[Any], object]
"""Raises PermanentError about a value that it refuses."""


class Kind(NamedTuple):
    """What a field's type says: `plain` is a class, a tuple or dict of some, or a union of several classes."""

    plain: Any
    optional: bool
    metas: tuple[Meta, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        """What else a value of this kind must withstand."""
        return tuple(meta.extra["check"] for meta in self.metas if meta.extra and "check" in meta.extra)


@cache
def kind_of(hint: Any) -> Kind:  # noqa: ANN401 (a type as it is written at a field)
    """The kind of a type as `msgspec.structs.fields` gives it."""
    optional = False
    metas: tuple[Meta, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            metas += tuple(meta for meta in hint.__metadata__ if isinstance(meta, Meta))
            hint = hint.__origin__
        elif get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
            optional = True
            hint = Union[tuple(one for one in get_args(hint) if one is not NoneType)]  # noqa: UP007 (made at run time)
        else:
            return Kind(hint, optional, metas)


class _Plan(NamedTuple):
    """What is to be checked of a field, and whether it holds a time, or a list of structs."""

    name: str
    checks: tuple[Check, ...]
    is_instant: bool
    has_structs: bool


def check_values(struct: msgspec.Struct) -> None:
    """Refuse what the check of a field's kind refuses, in the structs inside too; its times are in UTC afterwards.

    Raises:
        PermanentError: with the check's reason; without a field.
    """
    for name, checks, is_instant, has_structs in _plans_of(type(struct)):
        value = getattr(struct, name)
        if value is None:
            continue
        for check in checks:
            check(value)
        if is_instant:
            # Nobody has seen this value yet: it is still being decoded.
            force_setattr(struct, name, utc(value))
        if has_structs:
            for part in value:
                check_values(part)


@cache
def _plans_of(struct: type[msgspec.Struct]) -> tuple[_Plan, ...]:
    """The fields in which there is something to check."""
    kinds = {field.name: kind_of(field.type) for field in msgspec.structs.fields(struct)}
    plans = (_Plan(name, kind.checks, kind.plain is datetime, _has_structs(kind)) for name, kind in kinds.items())
    return tuple(plan for plan in plans if any(plan[1:]))


def _has_structs(kind: Kind) -> bool:
    item = get_args(kind.plain)[0] if get_origin(kind.plain) is tuple else None
    return isinstance(item, type) and issubclass(item, msgspec.Struct)
