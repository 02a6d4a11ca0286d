"""A field's type taken apart: the plain type, whether it may be missing, and the checks that its kind names."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from msgspec import Meta

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
