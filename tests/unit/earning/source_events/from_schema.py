"""From a published JSON Schema to facts that it allows, many of them at its limits."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from shared.currencies import PLACES

CURRENCY = "^[A-Z]{3}$"
TEXT = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/")
_FIRST, _LAST = datetime(1970, 1, 2), datetime(2199, 12, 30)  # noqa: DTZ001 (the offset is put behind them)
WIDE = 40
"""Longer texts and lists than this are rare: they only cost time."""


@cache
def facts_of(schema: Path) -> st.SearchStrategy[dict[str, Any]]:
    """The facts that a schema allows; what it can't say (known currencies, ids that differ) is kept to."""
    document = json.loads(schema.read_text("utf-8"))
    return _of(document, document.get("$defs", {}), "")


def _of(schema: dict[str, Any], known: dict[str, Any], name: str) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        referred = schema["$ref"].rpartition("/")[2]
        return _of(known[referred], known, name)
    if "anyOf" in schema:
        return st.one_of(*(_of(one, known, name) for one in schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    return _KINDS[schema.get("type", "string")](schema, known, name)


def _object(schema: dict[str, Any], known: dict[str, Any], _name: str) -> st.SearchStrategy[Any]:
    fields = {name: _of(part, known, name) for name, part in schema.get("properties", {}).items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    if not required and not fields:
        names = _of(schema.get("propertyNames", {"minLength": 1}), known, "")
        values = schema.get("additionalProperties")
        return st.dictionaries(names, _of(values, known, "") if isinstance(values, dict) else st.integers(), max_size=3)
    return st.fixed_dictionaries(required, optional=fields)


def _array(schema: dict[str, Any], known: dict[str, Any], name: str) -> st.SearchStrategy[Any]:
    longest = min(schema.get("maxItems", 4), 4)
    ids = {"lines": "line_id", "refunds": "refund_id"}.get(name)
    unique = (lambda item: item[ids]) if ids else None
    return st.lists(_of(schema["items"], known, ""), max_size=longest, unique_by=unique)


def _string(schema: dict[str, Any], _known: dict[str, Any], _name: str) -> st.SearchStrategy[Any]:
    if schema.get("format") == "date-time":
        return st.datetimes(_FIRST, _LAST).map(lambda at: at.isoformat() + "+01:00")
    if schema.get("pattern") == CURRENCY:
        return st.sampled_from(sorted(PLACES))
    if "pattern" in schema:
        return st.from_regex(re.compile(schema["pattern"], re.ASCII), fullmatch=True).filter(_one_line)
    least, most = schema.get("minLength", 0), schema.get("maxLength", WIDE)
    return st.one_of(st.text(TEXT, min_size=least, max_size=min(most, WIDE)), TEXT.map(lambda one: one * most))


def _integer(schema: dict[str, Any], _known: dict[str, Any], _name: str) -> st.SearchStrategy[Any]:
    return st.integers(schema.get("minimum"), schema.get("maximum"))


def _one_line(text: str) -> bool:
    return not text.endswith("\n")


_KINDS = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}
