"""JSON Schemas of every record, facts and point events alike made from their structs."""

from __future__ import annotations

from typing import Any

import msgspec

from deploy.reference.meanings import MEANINGS
from deploy.reference.tables import Schema
from shared.facts.checking import kind_of
from shared.facts.fact import FactData, envelope_of
from shared.point_events import COMMON, SOURCE, EventData, PointEvent

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def fact_schema(data_class: type[FactData]) -> Schema:
    """The whole envelope of a fact of this class, in structured mode."""
    envelope, parts = components(envelope_of(data_class))
    _put_type_second(envelope)
    _require_needed(parts[data_class.__name__], data_class)
    description = parts[data_class.__name__]["description"]
    published = _published({"$defs": parts, **envelope, "description": description, "title": data_class.TYPE})
    return {"$schema": DIALECT, **published}


def components(struct: Any) -> tuple[Schema, dict[str, Schema]]:  # noqa: ANN401 (a class that may be subscripted)
    """The schema of a struct, and of the structs inside of it by their names."""
    (root,), parts = msgspec.json.schema_components((struct,), ref_template="#/$defs/{name}")
    return parts.pop(root["$ref"].rpartition("/")[2]), parts


def _put_type_second(envelope: Schema) -> None:
    """The tag that tells classes apart is `type`, an attribute among others; it has a meaning as they have."""
    fields = envelope["properties"]
    kind = {**fields.pop("type"), "description": "What happened, and the version of this contract."}
    envelope["properties"] = {"specversion": fields.pop("specversion"), "type": kind, **fields}
    envelope["required"] = list(envelope["properties"])


def _require_needed(schema: Schema, data_class: type[FactData]) -> None:
    """A field whose absence has a fault of its own isn't required by type; a reader should know that it is."""
    for field in msgspec.structs.fields(data_class):
        if any(meta.extra and meta.extra.get("needed") for meta in kind_of(field.type).metas):
            schema["required"].append(field.encode_name)
            del schema["properties"][field.encode_name]["default"]


def _published(schema: Any) -> Any:  # noqa: ANN401 (any part of a schema)
    """A schema as it is published: its words in order, a single choice as a constant, empty objects no default."""
    if isinstance(schema, list | tuple):
        return [_published(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "enum" in schema:
        choices = schema.pop("enum")
        schema |= {"type": "string", **({"const": choices[0]} if len(choices) == 1 else {"enum": choices})}
    if schema.get("default") == {}:
        del schema["default"]
    if not schema.get("required", True):
        del schema["required"]
    return {word: _words(word, schema[word]) for word in sorted(schema)}


def _words(word: str, schema: Any) -> Any:  # noqa: ANN401 (any part of a schema)
    if word == "properties":
        return {name: _published(field) for name, field in schema.items()}
    if word == "$defs":
        return {name: _published(schema[name]) for name in sorted(schema)}
    return _published(schema)


def point_event_schema(event_class: type[EventData]) -> Schema:
    """The whole envelope of a point event of this class.

    Raises:
        KeyError: a field has no meaning written down in `deploy.reference.meanings`.
    """
    generic: Any = PointEvent  # subscripted with a class known only at run time, which type checkers can't follow
    envelope, parts = components(generic[event_class])
    for part in (envelope, *parts.values()):
        _explain(part)
    data = parts[event_class.__name__]
    data["required"] = [*COMMON, *data["required"]]
    envelope["properties"]["type"]["const"] = event_class.TYPE
    envelope["properties"]["specversion"]["const"] = "1.0"
    envelope["properties"]["source"]["const"] = SOURCE
    return {
        "$schema": DIALECT,
        "title": event_class.TYPE,
        "description": event_class.__doc__,
        **{word: envelope[word] for word in ("type", "properties", "required")},
        "$defs": parts,
    }


def _explain(part: Schema) -> None:
    """Put the meaning of each field beside its type."""
    owner = part["title"].partition("[")[0]
    for name, field in part["properties"].items():
        field["description"] = MEANINGS.get(f"{owner}.{name}") or MEANINGS[name]
