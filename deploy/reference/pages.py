"""The reference pages: facts, point events, reason codes. Tables and examples come from schemas and golden files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy.reference.schemas import fact_schema, point_event_schema
from deploy.reference.tables import MADE, Schema, field_table, parts_of
from shared.facts import values as kinds
from shared.facts.fact import FACT_TYPES
from shared.facts.limits import DEPTH_MAX, SIZE_MAX_BYTES
from shared.facts.routing import topic_of
from shared.point_events import EVENT_TYPES, EventData
from shared.reasons import MEANINGS
from shared.topics import Topics

_FACTS_HEAD = f"""# Facts: what platforms publish

Every fact is a CloudEvent 1.0 on Kafka, in one of two modes:

- **structured**: the value is the whole envelope as JSON, with the header `content-type: application/cloudevents+json`
  (or with no headers at all);
- **binary**: the value is `data` alone, and the attributes are headers named `ce_id`, `ce_source`, ….

The key is `program/member`. It may not be null; another key costs speed, never correctness.
Unknown fields are ignored and not kept. Of a field that is there twice the last counts. Leave out what you don't have:
`null` is a value only where the table says so.

- **money** is decimal text, never a JSON number: 1 to 12 digits, then at most 6 decimal places; never negative.
- **time** is RFC 3339 with an offset, from the years 1970 to 2199; it is kept in UTC.
- A record has at most {SIZE_MAX_BYTES:,} bytes and {DEPTH_MAX} levels of nesting, no NUL and no half surrogate pairs;
  an id has 1 to {kinds.ID_LENGTH_MAX} characters; an order has at most {kinds.LINES_MAX:,} lines.

What breaks these rules becomes a dead letter with a [reason code](reason-codes.md) and the field's path.

## The envelope
"""

_EVENTS_HEAD = """# Point events: what earning says

Every record of `loyalty.points` is a CloudEvent 1.0 in structured mode, with the Kafka headers `content-type`, `shard`,
`position` and `type`, so that a reader knows its place before decoding it. Within a partition positions are 1, 2, 3 …
without gaps; a record whose position was seen before is a redelivery. Records without these headers are not ours.

A field that has its default is left out. All times are in UTC, all points are whole numbers, and money is decimal text.

## The envelope
"""

_REASONS_HEAD = """# Reason codes

Stable codes, for alerts and SQL: why an input became a dead letter, was rejected, or earned nothing. The dead letter
also has a text for people, and the path of the field at fault.

| code | what it means | what helps |
| --- | --- | --- |
"""


def facts_page(golden: Path, topics: Topics) -> str:
    """Facts: the envelope, each type with its topic, fields and an example, and the parts they share."""
    schemas = {fact_type: fact_schema(data_class) for fact_type, data_class in FACT_TYPES.items()}
    sections = [MADE + _FACTS_HEAD, field_table(_envelope(schemas))]
    for fact_type, schema in schemas.items():
        data = _data(schema)
        sections += [
            f"\n## `{fact_type}`\n",
            f"{data['description']} Topic `{topic_of(fact_type, topics)}`.\n",
            field_table(data) if data["properties"] else "No fields of its own.",
            _example(golden / "facts" / fact_type / "full.json"),
        ]
    return "\n".join([*sections, *_parts(schemas), ""])


def point_events_page(golden: Path) -> str:
    """Point events: the envelope, what all carry, what each adds with an example, and the parts they share."""
    schemas = {event_type: point_event_schema(event_class) for event_type, event_class in EVENT_TYPES.items()}
    every = _data(next(iter(schemas.values())))
    sections = [
        MADE + _EVENTS_HEAD,
        field_table(_envelope(schemas)),
        "\n## What every point event carries\n",
        field_table(_only(every, set(EventData.__struct_fields__))),
    ]
    for event_type, schema in schemas.items():
        data = _data(schema)
        sections += [
            f"\n## `{event_type}`\n",
            f"{data['description']}\n",
            field_table(_only(data, set(data["properties"]) - set(EventData.__struct_fields__))),
            _example(golden / "point_events" / event_type / "full.json"),
        ]
    return "\n".join([*sections, *_parts(schemas), ""])


def reason_codes_page() -> str:
    """Every reason code with its meaning and cure, in the order of the code."""
    rows = [
        f"| `{reason}` | {meaning} | {cure} |".replace("|  |", "| |") for reason, (meaning, cure) in MEANINGS.items()
    ]
    return MADE + _REASONS_HEAD + "\n".join(rows) + "\n"


def _parts(schemas: dict[str, Schema]) -> list[str]:
    parts: dict[str, Schema] = {}
    for schema in schemas.values():
        for name in parts_of(_data(schema), schema["$defs"]):
            parts[name] = schema["$defs"][name]
    sections = ["\n## Parts\n"]
    for name, part in parts.items():
        sections += [f"### {name}\n", f"{part['description']}\n", field_table(part) + "\n"]
    return sections


def _envelope(schemas: dict[str, Schema]) -> Schema:
    """One schema for the envelope, which is the same for all but its type and data."""
    schema = next(iter(schemas.values()))
    properties: dict[str, Any] = {**schema["properties"]}
    properties["type"] = {"type": "string", "description": properties["type"]["description"]}
    properties["data"] = {"type": "object", "description": properties["data"]["description"]}
    return {**schema, "properties": properties}


def _data(schema: Schema) -> Schema:
    """What an envelope's `data` is."""
    data: Schema = schema["$defs"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]
    return data


def _only(schema: Schema, names: set[str]) -> Schema:
    return {**schema, "properties": {name: field for name, field in schema["properties"].items() if name in names}}


def _example(file: Path) -> str:
    shown = json.dumps(json.loads(file.read_bytes()), indent=2, ensure_ascii=False)
    return f"\n```json\n{shown}\n```\n"
