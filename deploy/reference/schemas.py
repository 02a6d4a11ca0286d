"""JSON Schemas of every record: facts from their published contract, point events from their structs."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic.json_schema import GenerateJsonSchema

from deploy.reference.meanings import MEANINGS
from services.earning.source_events.contract import ENVELOPES
from shared.point_events import SOURCE, EventData, PointEvent

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Plain(GenerateJsonSchema):
    """Schemas without a title for each field: its name says the same."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 (pydantic's signature)
        return False


def fact_schema(fact_type: str) -> Schema:
    """The whole envelope of a fact of this type, in structured mode."""
    schema = ENVELOPES[fact_type].model_json_schema(mode="validation", schema_generator=_Plain)
    return {"$schema": DIALECT, **schema, "title": fact_type}


def point_event_schema(event_class: type[EventData]) -> Schema:
    """The whole envelope of a point event of this class.

    Raises:
        KeyError: a field has no meaning written down in `deploy.reference.meanings`.
    """
    generic: Any = PointEvent  # subscripted with a class known only at run time, which type checkers can't follow
    (root,), parts = msgspec.json.schema_components((generic[event_class],), ref_template="#/$defs/{name}")
    envelope = parts.pop(root["$ref"].rpartition("/")[2])
    for part in (envelope, *parts.values()):
        _explain(part)
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
