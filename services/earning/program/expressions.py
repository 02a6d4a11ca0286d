"""Expressions (CEL) for what plain fields can't ask: typed, compiled once a version, limited in time and size.

An expression sees what a fact has pinned of who, when and where, and what an activity says of itself; so it gives the
same answer however often and in whatever order facts arrive. It can't fail where facts are decided: one that can't be
answered for a fact doesn't hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cel_expr_python import cel

from services.earning.program.values import near

LENGTH_MAX = 1_000
"""Characters of an expression. Its depth and its steps are limited by the library: 32 levels, 10,000 steps."""

Visible = dict[str, tuple[str, str]]
"""Name in expressions → its type in CEL, and what it is."""

GRANTS: Visible = {
    "member.tier": ("string", "The tier held before; empty where there are none."),
    "member.segments": ("list(string)", "The member's segments when it was first decided."),
    "member.attributes": ("map(string, string)", "The member's attributes when it was first decided."),
    "time.year": ("int", "Local year of when it happened."),
    "time.month": ("int", "Local month, 1 to 12."),
    "time.day": ("int", "Local day of the month, 1 to 31."),
    "time.weekday": ("int", "Local day of the week, Monday 1 to Sunday 7."),
    "time.hour": ("int", "Local hour, 0 to 23."),
}
"""What every expression sees; campaigns of activities no more than this."""

ORDERS: Visible = GRANTS | {
    "member.first_order": ("bool", "Whether it is the member's first order."),
    "order.channel": ("string", "Where it was sold; empty where not said."),
    "order.store": ("string", "The store; empty where not said."),
}
"""What expressions of rules and of campaigns for orders see."""

ACTIVITIES: Visible = GRANTS | {"quantity": ("int", "Units of the activity.")}
"""What expressions of activities see, beside `attributes.NAME` for each attribute declared there (a string)."""

_TYPES: dict[str, cel.Type] = {
    "string": cel.Type.STRING,
    "int": cel.Type.INT,
    "bool": cel.Type.BOOL,
    "list(string)": cel.Type.List(cel.Type.STRING),
    "map(string, string)": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
}
_FAULT = re.compile(r"<input>:(\d+):(\d+): ([^\n]*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")


class ExpressionInvalidError(ValueError):
    """An expression can't be compiled.

    Attributes:
        message: what is wrong, and at which column.
        cure: what helps.
    """

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. Two of one text are equal."""

    text: str
    _compiled: cel.Expression = field(compare=False, repr=False)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true of these values; where it can't be answered, or takes too many steps, it is not."""
        try:
            return self._compiled.eval(data=values).value() is True
        except RuntimeError:
            return False


def of_activity(attributes: Iterable[str]) -> Visible:
    """What an activity's expressions see, by the attributes that it declares."""
    return ACTIVITIES | {f"attributes.{name}": ("string", "") for name in attributes}


def compiled(text: str, visible: Visible) -> Expression:
    """An expression made ready.

    Raises:
        ExpressionInvalidError: it is not well formed, names what can't be seen, mixes types, or is no question.
    """
    if len(text) > LENGTH_MAX:
        raise ExpressionInvalidError(f"it has {len(text):,} characters", f"Write at most {LENGTH_MAX:,}.")
    environment = cel.NewEnv(variables={name: _TYPES[kind] for name, (kind, _) in visible.items()})
    try:
        expression = environment.compile(text)
    except RuntimeError as error:
        raise _explained(str(error), visible) from error
    if expression.return_type() != cel.Type.BOOL:
        kind = expression.return_type().name().lower()
        raise ExpressionInvalidError(f"it gives {kind}, not true or false", "Compare it: `time.hour < 12`.")
    return Expression(text, expression)


def _explained(fault: str, visible: Visible) -> ExpressionInvalidError:
    found = _FAULT.search(fault)
    if found is None:
        return ExpressionInvalidError("it is nested too deep", "Write it shorter, or as several entries.")
    message = f"column {found[2]}: {found[3]}"
    unknown = _UNDECLARED.search(found[3])
    names = ", ".join(f"`{name}`" for name in visible)
    if unknown is None:
        return ExpressionInvalidError(message, "An expression reads like `member.tier == 'gold' && time.hour < 12`.")
    cure = near(unknown[1], visible) or f"An expression here sees {names}."
    return ExpressionInvalidError(f"column {found[2]}: `{unknown[1]}` is unknown", cure)
