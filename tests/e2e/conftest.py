"""Fixtures of the end-to-end tests: an installation of one's own, and what an undisturbed one comes to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local_stack import LocalStack
from shared.topics import Topics
from tests.conftest import new_topics
from tests.e2e.pipeline import Pipeline, Tables
from tests.e2e.runs import run
from tests.support.databases import copy_of


@pytest.fixture
def pipeline(tmp_path: Path, bootstrap_servers: str, dsn: str, topics: Topics) -> Iterator[Pipeline]:
    """An installation of this test's own; its processes are ended with it."""
    installation = Pipeline(tmp_path, bootstrap_servers, dsn, topics)
    yield installation
    installation.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, stack: LocalStack, template_database: str
) -> AsyncIterator[Tables]:
    """What one process of each service makes of the shop's facts when nobody disturbs them."""
    async with copy_of(template_database) as own:
        installation = Pipeline(
            tmp_path_factory.mktemp("undisturbed"), stack.endpoints.bootstrap_servers, own, new_topics()
        )
        try:
            tables = await run(installation)
        finally:
            installation.stop()
        yield tables
