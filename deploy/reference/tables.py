"""Field tables in Markdown, from JSON Schemas of either origin, and the line above every page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

MADE = "<!-- Made by `python -m deploy.reference` from the code: change that, then run it again. -->\n"

_HEAD = "| field | type | | meaning |\n| --- | --- | --- | --- |"
_TYPES = {"integer": "whole number", "boolean": "true or false", "object": "object", "null": "null"}


def field_table(schema: Schema) -> str:
    """One row a field: name, type with limits, whether required or its default, meaning."""
    required = set(schema.get("required", ()))
    rows = [_row(name, field, needed=name in required) for name, field in schema["properties"].items()]
    return "\n".join([_HEAD, *rows])


def parts_of(schema: Schema, definitions: dict[str, Schema]) -> Iterator[str]:
    """Names of the objects inside an object's fields, each once, the outer ones first."""
    seen: set[str] = set()
    queue = [schema]
    while queue:
        for name in _references(queue.pop(0).get("properties", {})):
            if name not in seen:
                seen.add(name)
                queue.append(definitions[name])
                yield name


def _references(node: Any) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def _row(name: str, field: Schema, *, needed: bool) -> str:
    default = field.get("default")
    if needed:
        note = "required"
    elif default in (None, "", [], {}):
        note = ""
    else:
        note = f"default `{json.dumps(default)}`"
    return f"| `{name}` | {_kind(field)} | {note} | {field.get('description', '')} |".replace("|  |", "| |")


def _kind(field: Schema) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "$ref" in field:
        return f"[{field['$ref'].rpartition('/')[2]}](#{field['$ref'].rpartition('/')[2].lower()})"
    if "anyOf" in field:
        return " or ".join(_kind(choice) for choice in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{json.dumps(choice)}`" for choice in field["enum"])
    if "allOf" in field:
        return _kind(field["allOf"][0])
    return _simple(field)


def _simple(field: Schema) -> str:
    kind: str = field.get("type", "any")
    if kind == "array":
        return f"list of {_kind(field['items'])}{_at_most(field, 'maxItems')}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"object of {_kind(field['additionalProperties'])}{_at_most(field, 'maxProperties')}"
    if kind == "integer" and "maximum" in field:
        return f"whole number, {field['minimum']}–{field['maximum']}"
    return _text(field) if kind == "string" else _TYPES.get(kind, kind)


def _text(field: Schema) -> str:
    if field.get("format") == "date-time":
        return "time"
    if "{1,12}" in field.get("pattern", ""):
        return "money"
    if "maxLength" in field:
        return f"text, {field.get('minLength', 0)}–{field['maxLength']}"
    return "text"


def _at_most(field: Schema, limit: str) -> str:
    return f", at most {field[limit]}" if limit in field else ""
