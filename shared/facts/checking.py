"""Checks the values in a struct, each by the check that its kind names, and brings its times into UTC.

Which fields have checks is read from the class once. A refusal only says that something is wrong: `explain` finds out
where, since that costs more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache, partial
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, get_args, get_origin

import msgspec
from msgspec.structs import force_setattr

from shared.facts.checks import utc
from shared.facts.kinds import Check, kind_of

Values = Callable[[Any], Iterable[Any]]
"""From a struct to some values in it."""


class _Plan(NamedTuple):
    """What is to be checked of one class: each check with the values it is for, and the fields that hold times."""

    checks: tuple[tuple[Check, Values], ...]
    instants: tuple[str, ...]


def check_values(struct: msgspec.Struct) -> None:
    """Refuse what the check of a field's kind refuses, in the structs inside too; its times are in UTC afterwards.

    Raises:
        PermanentError: with the check's reason; without a field.
    """
    checks, instants = _plan_of(type(struct))
    for check, values in checks:
        for value in values(struct):
            check(value)
    for name in instants:
        if (instant := getattr(struct, name)) is not None:
            # Nobody has seen this value yet: it is still being decoded.
            force_setattr(struct, name, utc(instant))


@cache
def _plan_of(struct: type[msgspec.Struct]) -> _Plan:
    instants = [field.name for field in msgspec.structs.fields(struct) if kind_of(field.type).plain is datetime]
    return _Plan(tuple(_checks_in(struct)), tuple(instants))


def _checks_in(struct: type[msgspec.Struct]) -> Iterator[tuple[Check, Values]]:
    """Each check that fields of a struct name, with the values of those fields; then those of the structs in it."""
    always: dict[Check, list[str]] = {}
    for field in msgspec.structs.fields(struct):
        kind = kind_of(field.type)
        for check in kind.checks:
            if kind.optional:
                yield check, partial(_where_given, field.name)
            else:
                always.setdefault(check, []).append(field.name)
    for check, names in always.items():
        yield check, attrgetter(*names) if len(names) > 1 else partial(_single, names[0])
    for name, part in _parts_of(struct):
        for check, values in _checks_in(part):
            yield check, partial(_of_each, values, attrgetter(name))


def _parts_of(struct: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Fields that hold a list of structs, with the class of those."""
    for field in msgspec.structs.fields(struct):
        plain = kind_of(field.type).plain
        item = get_args(plain)[0] if get_origin(plain) is tuple else None
        if isinstance(item, type) and issubclass(item, msgspec.Struct):
            yield field.name, item


def _single(name: str, struct: object) -> tuple[object]:
    return (getattr(struct, name),)


def _where_given(name: str, struct: object) -> tuple[object, ...]:
    value = getattr(struct, name)
    return () if value is None else (value,)


def _of_each(values: Values, parts: Callable[[Any], Iterable[Any]], struct: object) -> Iterable[Any]:
    return chain.from_iterable(map(values, parts(struct)))
