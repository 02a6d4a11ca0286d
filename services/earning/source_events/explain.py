"""Explain a refused record: which fault, at which field. Slow and exact; only records that were refused come here."""

from __future__ import annotations

import json
from typing import NoReturn

from pydantic import ValidationError

from services.earning.source_events.contract import ENVELOPES
from services.earning.source_events.limits import DEPTH_MAX, check_depth, check_text
from shared.errors import PermanentError
from shared.reasons import Reason

_RANGE_FAULTS = {
    "string_too_short",
    "string_too_long",
    "too_short",
    "too_long",
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
}
_OURS = {reason.value for reason in Reason}
_SHOWN_MAX = 100
"""Characters shown of what a record says: enough to recognise it by, however long it is."""


def explain(value: bytes, attributes: dict[str, str] | None, refusal: Exception) -> PermanentError:
    """What is wrong with a record that the fast path refused, as the error that goes on.

    `attributes` are those of binary mode's headers; None in structured mode. Where nothing more exact is found, the
    refusal's own words stand, under `invalid_fact`.
    """
    try:
        check_text(value)
        document = _parse(value)
        check_depth(value)
        if attributes is not None:
            document = {**attributes, "data": document}
        _check_contract(document)
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


def _check_contract(document: object) -> None:
    if not isinstance(document, dict) or document.get("specversion") != "1.0":
        raise PermanentError(
            Reason.NOT_CLOUDEVENTS, 'not a CloudEvents 1.0 object with `specversion` "1.0"', field="specversion"
        )
    if "type" not in document:
        raise PermanentError(Reason.MISSING_FIELD, "`type` is missing", field="type")
    contract = ENVELOPES.get(document["type"]) if isinstance(document["type"], str) else None
    if contract is None:
        raise PermanentError(Reason.UNKNOWN_TYPE, f"no contract has the type {_shown(document['type'])}", field="type")
    try:
        contract.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _first_fault(error) from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _first_fault(error: ValidationError) -> PermanentError:
    fault = error.errors(include_url=False)[0]
    kind, place = fault["type"], fault["loc"]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    return PermanentError(_reason(kind, place, fault["input"]), f"{field}: {fault['msg']}", field=field)


def _reason(kind: str, place: tuple[int | str, ...], given: object) -> str:
    if kind in _OURS:
        return kind
    if kind == "missing":
        return Reason.MISSING_FIELD
    if kind == "too_long" and place[-1] == "lines":
        return Reason.TOO_MANY_LINES
    if kind in _RANGE_FAULTS or (kind == "literal_error" and isinstance(given, str)):
        return Reason.OUT_OF_RANGE
    return Reason.WRONG_TYPE
