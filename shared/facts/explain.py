"""Explain a refused record: which fault, at which field. Slow and exact; only records that were refused come here."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NoReturn, get_args, get_origin

import msgspec

from shared.errors import PermanentError
from shared.facts.checking import Kind, kind_of
from shared.facts.checks import check_rate, utc
from shared.facts.fact import FACT_TYPES, FactData, envelope_of
from shared.facts.limits import DEPTH_MAX, check_depth, check_text
from shared.facts.values import ID_LENGTH_MAX
from shared.money import micros
from shared.reasons import Reason

_SHOWN_MAX = 100
"""Characters shown of what a record says: enough to recognise it by, however long it is."""

_WORDS_MAX = 300
"""Characters of a fault's words: those of a check hold what the record says."""

_OF_MONEY = {micros, check_rate}
"""Checks of kinds that are often sent as JSON numbers, which would be rounded: that fault has a reason of its own."""


def explain(value: bytes, attributes: dict[str, str] | None, refusal: Exception) -> PermanentError:
    """What is wrong with a record that the fast path refused, as the error that goes on.

    `attributes` are those of binary mode's headers; None in structured mode. Of several faults the first is told, in
    the order of the published fields. Where nothing more exact is found, the refusal's own words stand, under
    `invalid_fact`.
    """
    try:
        check_text(value)
        document = _parse(value)
        check_depth(value)
        if attributes is not None:
            document = {**attributes, "data": document}
        _look_into_event(document)
    except PermanentError as found:
        return found
    return PermanentError(Reason.INVALID_FACT, str(refusal))


def _parse(value: bytes) -> object:
    try:
        return json.loads(value, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise PermanentError(Reason.TOO_DEEP, f"nested deeper than {DEPTH_MAX} levels") from error
    except ValueError as error:
        raise PermanentError(Reason.NOT_JSON, f"the value is not JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _look_into_event(document: object) -> None:
    if not isinstance(document, dict) or document.get("specversion") != "1.0":
        raise PermanentError(
            Reason.NOT_CLOUDEVENTS, 'not a CloudEvents 1.0 object with `specversion` "1.0"', field="specversion"
        )
    if "type" not in document:
        raise PermanentError(Reason.MISSING_FIELD, "`type` is missing", field="type")
    data_class = FACT_TYPES.get(document["type"]) if isinstance(document["type"], str) else None
    if data_class is None:
        raise PermanentError(Reason.UNKNOWN_TYPE, f"no contract has the type {_shown(document['type'])}", field="type")
    _look_into_struct(document, envelope_of(data_class), "")


def _look_into_struct(document: dict[str, Any], struct: type[msgspec.Struct], path: str) -> None:
    """Tell of the first fault in a struct's fields, in the order in which they are published."""
    for field in msgspec.structs.fields(struct):
        place = f"{path}.{field.encode_name}".removeprefix(".")
        if field.encode_name in document:
            _look(document[field.encode_name], field.type, place)
        elif field.required:
            raise PermanentError(Reason.MISSING_FIELD, f"{place} is missing", field=place)
        else:
            _check(field.default, kind_of(field.type), place)


def _look(value: Any, hint: Any, place: str) -> None:  # noqa: ANN401 (any JSON, any type)
    """Tell of the first fault inside of a value, else of its own."""
    kind = kind_of(hint)
    _look_inside(value, kind.plain, place)
    try:
        found = msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise _fault(value, kind, str(error), place) from error
    _check(found, kind, place)


def _look_inside(value: Any, plain: Any, place: str) -> None:  # noqa: ANN401 (any JSON, any type)
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct) and isinstance(value, dict):
        _look_into_struct(value, plain, place)
    elif get_origin(plain) is tuple and isinstance(value, list):
        for number, item in enumerate(value):
            _look(item, get_args(plain)[0], f"{place}[{number}]")
    elif get_origin(plain) is dict and isinstance(value, dict):
        for name, item in value.items():
            _look(item, get_args(plain)[1], f"{place}.{name[:ID_LENGTH_MAX]}")


def _check(value: Any, kind: Kind, place: str) -> None:  # noqa: ANN401 (any value)
    if value is None and kind.optional:
        return
    checks = (*kind.checks, utc) if kind.plain is datetime else kind.checks
    try:
        for check in checks:
            check(value)
        if isinstance(value, FactData):
            value.check()
    except PermanentError as error:
        raise PermanentError(error.reason, f"{place}: {_cut(error.message, _WORDS_MAX)}", field=place) from error


def _fault(value: Any, kind: Kind, words: str, place: str) -> PermanentError:  # noqa: ANN401 (any JSON)
    """What is wrong with a value that can't be read as of its kind, by msgspec's words."""
    if kind.plain is datetime and isinstance(value, str):
        reason, words = Reason.INVALID_TIME, f"{_shown(value)} is not an RFC 3339 time with an offset"
    elif _OF_MONEY.intersection(kind.checks) and isinstance(value, int | float) and not isinstance(value, bool):
        reason, words = Reason.MONEY_NOT_TEXT, f"{_shown(value)} is a JSON number; send a decimal in quotes"
    elif ", got `" in words:
        reason = Reason.WRONG_TYPE
    elif isinstance(value, list) and place.endswith("lines"):
        reason = Reason.TOO_MANY_LINES
    else:
        reason = Reason.OUT_OF_RANGE
    return PermanentError(reason, f"{place}: {_cut(words, _WORDS_MAX)}", field=place)


def _shown(value: object) -> str:
    return _cut(repr(value), _SHOWN_MAX)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
