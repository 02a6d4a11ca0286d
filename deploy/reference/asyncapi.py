"""The AsyncAPI 3.0 document: every topic, what is in it, who writes it and who reads it."""

from __future__ import annotations

from typing import Any

import yaml

from deploy.topics import planned
from shared.codec import STRUCTURED
from shared.dead_letters import PREFIX
from shared.facts.fact import FACT_TYPES
from shared.facts.routing import topic_of
from shared.point_events import EVENT_TYPES
from shared.reasons import Reason
from shared.topics import Topics

Node = dict[str, Any]

_TEXT: Node = {"type": "string"}
_POINT_HEADERS: Node = {
    "type": "object",
    "required": ["content-type", "shard", "position", "type"],
    "properties": {
        "content-type": {"const": STRUCTURED},
        "shard": {**_TEXT, "pattern": "^[0-9]+$", "description": "The partition."},
        "position": {**_TEXT, "pattern": "^[0-9]+$", "description": "Place in the shard: 1, 2, 3 … without gaps."},
        "type": {**_TEXT, "description": "CloudEvents type of the event."},
    },
}
_DEAD_HEADERS: Node = {
    "type": "object",
    "required": [PREFIX + name for name in ("reason", "text", "service", "topic", "partition", "offset", "timestamp")],
    "properties": {
        PREFIX + "reason": {"enum": [reason.value for reason in Reason], "description": "See reason-codes.md."},
        PREFIX + "text": {**_TEXT, "description": "What is wrong and what helps, for people."},
        PREFIX + "field": {**_TEXT, "description": "Path of the field at fault; empty where no single one is."},
        PREFIX + "service": {**_TEXT, "description": "Which service set it aside."},
        PREFIX + "topic": {**_TEXT, "description": "Where the record lay."},
        PREFIX + "partition": {**_TEXT, "pattern": "^[0-9]+$"},
        PREFIX + "offset": {**_TEXT, "pattern": "^[0-9]+$"},
        PREFIX + "timestamp": {**_TEXT, "format": "date-time", "description": "The record's timestamp."},
    },
    "patternProperties": {"^original-": {"description": "A header that the record came with, as it was."}},
}
_PROGRAM: Node = {
    "type": "object",
    "description": "A CloudEvent `loyalty.program.published.v1`; its data holds a version of a program.",
    "required": ["specversion", "type", "id", "source", "subject", "time", "data"],
    "properties": {
        "type": {"const": "loyalty.program.published.v1"},
        "data": {
            "type": "object",
            "required": ["program", "version", "in_force_from", "published_at", "checksum", "document"],
            "properties": {
                "program": {**_TEXT, "description": "The program's name; also the Kafka key."},
                "version": {"type": "integer", "minimum": 1},
                "in_force_from": {**_TEXT, "format": "date-time"},
                "published_at": {**_TEXT, "format": "date-time"},
                "checksum": {**_TEXT, "description": "Of the document, to tell the same from another."},
                "document": {"$ref": "./program.schema.json"},
            },
        },
    },
}


def asyncapi(topics: Topics) -> str:
    """The document as YAML; schemas are referred to by relative file names."""
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tallystick",
            "version": "1.0.0",
            "description": "Facts in, point events out. Field by field: facts.md and point-events.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": STRUCTURED,
        "channels": {name: _channel(name, topics) for name in topics.all},
        "operations": dict(_operations(topics)),
        "components": {"messages": dict(_messages())},
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _channel(name: str, topics: Topics) -> Node:
    plan = next(plan for plan in planned(topics, shards=64, brokers=3) if plan.name == name)
    partitions = "one partition" if plan.partitions == 1 else "as many partitions as there are shards"
    return {
        "address": name,
        "description": f"{_purpose(name, topics)} It has {partitions}.",
        "messages": {
            message.rpartition("/")[2]: {"$ref": f"#/components/messages/{message}"}
            for message in _carried(name, topics)
        },
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": [plan.settings["cleanup.policy"]],
                    "retention.ms": int(plan.settings["retention.ms"]),
                    "max.message.bytes": int(plan.settings["max.message.bytes"]),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _purpose(name: str, topics: Topics) -> str:
    if name in topics.inputs:
        return "Facts, written by commerce platforms and operators."
    return {
        topics.programs: "Published versions of programs, kept for ever.",
        topics.points: "Point events, written by earning alone, kept for ever.",
        topics.dead_letters: "Inputs that could not be read or decided: original bytes, and why. Short retention.",
    }[name]


def _carried(name: str, topics: Topics) -> list[str]:
    if name == topics.points:
        return [f"point-event.{event_type}" for event_type in EVENT_TYPES]
    if name in (topics.programs, topics.dead_letters):
        return ["program" if name == topics.programs else "dead-letter"]
    return [f"fact.{fact_type}" for fact_type in FACT_TYPES if topic_of(fact_type, topics) == name]


def _operations(topics: Topics) -> list[tuple[str, Node]]:
    def operation(action: str, topic: str, summary: str) -> Node:
        return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}, "summary": summary}

    return [
        *(
            (f"earning.takes.{topic}", operation("receive", topic, "Earning decides what each fact is worth."))
            for topic in topics.inputs
        ),
        ("earning.says", operation("send", topics.points, "Earning says what it decided, in position order.")),
        ("projections.folds", operation("receive", topics.points, "Projections folds events into tables.")),
        ("programs.published", operation("send", topics.programs, "The registry tells of each new version.")),
        ("inputs.set-aside", operation("send", topics.dead_letters, "Both services set aside what they can't read.")),
    ]


def _messages() -> list[tuple[str, Node]]:
    facts = [
        _event("fact", name, f"{data_class.__name__}; the key is `program/member`.")
        for name, data_class in FACT_TYPES.items()
    ]
    events = [
        _event("point-event", name, event_class.__doc__, headers=_POINT_HEADERS)
        for name, event_class in EVENT_TYPES.items()
    ]
    program = {"name": "program", "contentType": STRUCTURED, "payload": _PROGRAM, "bindings": _keyed("program")}
    dead = {
        "name": "dead-letter",
        "summary": "The value and key are the original bytes, whatever they are.",
        "contentType": "application/octet-stream",
        "headers": _DEAD_HEADERS,
    }
    return [*facts, *events, ("program", program), ("dead-letter", dead)]


def _event(kind: str, name: str, summary: str | None, **more: Node) -> tuple[str, Node]:
    """A CloudEvent whose schema is a file of its own."""
    payload = {"$ref": f"./schemas/{kind}s/{name}.json"}
    said = {"name": name, "summary": summary, "contentType": STRUCTURED, **more, "payload": payload}
    return f"{kind}.{name}", {**said, "bindings": _keyed("program/member")}


def _keyed(pattern: str) -> Node:
    return {"kafka": {"key": {"type": "string", "description": pattern}, "bindingVersion": "0.5.0"}}
