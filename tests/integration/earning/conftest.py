"""Fixtures of earning's tests: a counter to earn at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from shared.topics import Topics
from tests.integration.earning.earning_rig import SHARDS, TOPIC, Counter, opened
from tests.integration.earning.worker import Town


@pytest.fixture(autouse=True)
def plain_log() -> Iterator[None]:
    """Log lines as plain text: drawing a traceback takes longer than a transaction may stand still."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()


@pytest.fixture
async def counter(dsn: str) -> AsyncIterator[Counter]:
    """An installation with one program, and a lane's session; every partition of the orders topic is at 0."""
    counter = await opened(dsn, *((topic, partition) for topic in ("commands", TOPIC) for partition in range(SHARDS)))
    yield counter
    await counter.session.close()


@pytest.fixture
async def town(bootstrap_servers: str, dsn: str, topics: Topics) -> Town:
    """Topics and a database of this test's own, for workers to come to."""
    town = Town(bootstrap_servers, dsn, topics)
    await town.build()
    return town
