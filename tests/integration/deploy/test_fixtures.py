"""The fixtures that all other tests stand on."""

import pytest

from deploy.local_stack import LocalStack
from deploy.migrate import schemas
from shared import migrations
from shared.topics import Topics
from tests.support.databases import execute

seen: list[str] = []


def test_both_servers_answer(stack: LocalStack) -> None:
    assert all(server.answers or server.given for server in stack.status())


@pytest.mark.parametrize("_time", ["first", "second"])
async def test_each_test_gets_a_migrated_database_of_its_own(dsn: str, _time: str) -> None:
    assert dsn not in seen
    seen.append(dsn)
    await migrations.check(dsn, schemas())
    await execute(dsn, "CREATE TABLE only_here (number int)")


def test_topic_names_keep_their_endings_and_are_never_given_twice(topics: Topics) -> None:
    assert topics.orders.endswith(".commerce.orders")
    assert len(set(topics.all)) == len(topics.all) == len(set(topics.all) - set(Topics().all))
