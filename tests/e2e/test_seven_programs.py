"""The programs we ship, from their files to the read models: each story comes out as its page says, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from deploy.local_stack import LocalStack
from deploy.programs import likes
from deploy.reference.likes import story_of
from services.earning.program import registry
from services.earning.program.authoring.check import check
from services.earning.program.compile import compile_versions
from services.earning.simulate import Arrival, run
from services.earning.source_events.codec import decode
from services.verify.checker import verify
from shared.facts.builders import record
from shared.facts.routing import head_of, partition_of, topic_of
from shared.point_events import EventData
from tests.conftest import new_topics
from tests.e2e.pipeline import Pipeline
from tests.support.databases import copy_of

AT_ONCE = {"EARNING_INBOX_POLL_MS": "5", "EARNING_ROLES": "decide,relay"}
LIKES = sorted(likes())

Line = tuple[str, int, str, int, int, int, int]
"""A member's line of history: member, sequence, kind, change, and the balance, pending and deficit after it."""

_HISTORY = """
SELECT member, sequence, kind, change, balance, pending, deficit
FROM loyalty.history WHERE program = $1 ORDER BY member, sequence
"""


def _facts(file: Path) -> list[bytes]:
    return [line.encode() for line in story_of(file).read_text("utf-8").splitlines()]


def _expected(file: Path) -> list[Line]:
    """What the deciding core says of a story, as history has it."""
    document = check(file.read_bytes(), file.name)
    programs = {document.program: compile_versions([(document, document.effective_from)])}
    arrivals = []
    for number, value in enumerate(_facts(file)):
        received_at = datetime.fromisoformat(json.loads(value)["time"]).astimezone(UTC)
        arrivals.append(Arrival(number, decode(value, received_at=received_at)))
    rulings = run(programs, arrivals).rulings
    assert [ruling.dead_letter for ruling in rulings if ruling.dead_letter] == []
    return sorted(_line(event) for ruling in rulings for event in ruling.events)


def _line(event: EventData) -> Line:
    kind, after = event.TYPE.removeprefix("loyalty.").removesuffix(".v1"), event.balances
    change = event.postings.get("available", 0)
    return event.member, event.sequence, kind, change, after.available, after.pending, after.deficit


async def _told(pipeline: Pipeline, values: Iterator[bytes]) -> None:
    """Facts published one after the other, each once all before it is decided: in the order of the story."""
    for count, value in enumerate(values, 1):
        head = head_of(value)
        told = record(value, head.program, head.subject, head.arrived)
        topic = topic_of(head.type, pipeline.topics)
        await pipeline.publish({partition_of(head, pipeline.shards): [told]}, topic)
        await pipeline.settled(count)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def histories(tmp_path_factory: pytest.TempPathFactory, stack: LocalStack, template_database: str) -> Any:
    """Program → its history, after all seven stories went through one installation."""
    async with copy_of(template_database) as dsn:
        pipeline = Pipeline(tmp_path_factory.mktemp("seven"), stack.endpoints.bootstrap_servers, dsn, new_topics())
        files = [likes()[name] for name in LIKES]
        await pipeline.prepare(files[0].read_text("utf-8"))
        connection = await asyncpg.connect(dsn)
        try:
            for file in files[1:]:
                await registry.publish(connection, check(file.read_bytes(), file.name))
            pipeline.start("earning", AT_ONCE)
            pipeline.start("projections", {})
            await _told(pipeline, (value for file in files for value in _facts(file)))
            report = await verify(pipeline.bootstrap_servers, dsn, pipeline.topics)
            assert report.findings == []
            programs = {name: check(likes()[name].read_bytes(), name).program for name in LIKES}
            yield {name: [tuple(row) for row in await connection.fetch(_HISTORY, programs[name])] for name in LIKES}
        finally:
            await connection.close()
            pipeline.stop()


@pytest.mark.parametrize("name", LIKES)
async def test_a_program_we_ship_gives_the_history_of_its_page(histories: dict[str, list[Line]], name: str) -> None:
    assert len(LIKES) == 7
    assert histories[name] == _expected(likes()[name])
