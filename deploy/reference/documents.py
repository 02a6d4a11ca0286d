"""Every generated file of the reference, as text."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.reference.asyncapi import asyncapi
from deploy.reference.likes import like_pages
from deploy.reference.pages import facts_page, point_events_page, reason_codes_page
from deploy.reference.programs import program_page, program_schema, try_page
from deploy.reference.schemas import Schema, fact_schema, point_event_schema
from shared.facts.fact import FACT_TYPES
from shared.point_events import EVENT_TYPES
from shared.topics import Topics

PROJECT = Path(__file__).parents[2]


def documents(project: Path = PROJECT) -> dict[Path, str]:
    """File → what it should say, by the code as it is now. Topics have the names that the documents use."""
    reference = project / "docs" / "reference"
    golden = project / "tests" / "contract" / "golden"
    topics = Topics.model_construct()
    made = {
        reference / "facts.md": facts_page(golden, topics),
        reference / "point-events.md": point_events_page(golden),
        reference / "reason-codes.md": reason_codes_page(),
        reference / "asyncapi.yaml": asyncapi(topics),
        reference / "program.md": program_page(project),
        reference / "program.schema.json": program_schema(),
        reference / "try.md": try_page(project),
    }
    made |= {reference / "programs" / f"{name}.md": text for name, text in like_pages(project).items()}
    for fact_type, data_class in FACT_TYPES.items():
        made[reference / "schemas" / "facts" / f"{fact_type}.json"] = _text(fact_schema(data_class))
    for event_type, event_class in EVENT_TYPES.items():
        made[reference / "schemas" / "point-events" / f"{event_type}.json"] = _text(point_event_schema(event_class))
    return made


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
