"""The registry on a real PostgreSQL: versions are given once, in order, and every worker sees them at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from services.earning.program import registry
from services.earning.program.authoring.check import check
from services.earning.program.document import Document
from shared.errors import ConfigurationError
from shared.postgres import connect

HEAD = "program: {name}\neffective_from: {start}\ncurrency: EUR\ntime_zone: Europe/Berlin\n"
PAST, FAR = "2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z"


def document(rate: int = 1, *, name: str = "shop", start: str = PAST) -> Document:
    return check((HEAD.format(name=name, start=start) + f"rules: [{{id: base, rate: {rate}}}]").encode())


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(dsn, role="earning", application="test")
    yield connection
    await connection.close()


class Topic:
    """Stands in for the programs topic; fails where it is told to."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.records: list[registry.Record] = []
        self._fails_at = fails_at

    async def send(self, record: registry.Record) -> None:
        if len(self.records) == self._fails_at:
            raise TimeoutError
        self.records.append(record)


async def test_a_first_version_may_reach_back(connection: asyncpg.Connection) -> None:
    publication = await registry.publish(connection, document())
    assert (publication.new, publication.published.version) == (True, 1)
    assert publication.published.in_force_from == document().effective_from


async def test_a_later_version_gives_notice(connection: asyncpg.Connection) -> None:
    await registry.publish(connection, document(1))
    published = (await registry.publish(connection, document(2))).published
    assert published.version == 2
    assert published.in_force_from == published.published_at + registry.NOTICE


async def test_a_later_version_may_wait_for_its_day(connection: asyncpg.Connection) -> None:
    await registry.publish(connection, document(1))
    published = (await registry.publish(connection, document(2, start=FAR))).published
    assert published.in_force_from == document(start=FAR).effective_from


async def test_a_version_that_overtakes_a_scheduled_one_says_so(connection: asyncpg.Connection) -> None:
    await registry.publish(connection, document(1))
    await registry.publish(connection, document(2, start=FAR))
    assert (await registry.publish(connection, document(3))).superseded == (2,)


async def test_the_same_document_again_changes_nothing(connection: asyncpg.Connection) -> None:
    first = await registry.publish(connection, document())
    serial = await connection.fetchval(registry.QUERIES["serial"])
    again = await registry.publish(connection, document())
    assert (again.new, again.published) == (False, first.published)
    assert await connection.fetchval(registry.QUERIES["serial"]) == serial


async def test_an_earlier_document_can_be_published_again(connection: asyncpg.Connection) -> None:
    for rate in (1, 2, 1):
        await registry.publish(connection, document(rate))
    assert [published.version for published in await registry.versions_of(connection, "shop")] == [1, 2, 3]


async def test_publishers_at_the_same_time_get_versions_of_their_own(dsn: str, connection: asyncpg.Connection) -> None:
    others = [await connect(dsn, role="earning", application="test") for _ in range(8)]
    publications = await asyncio.gather(
        *(registry.publish(other, document(rate)) for rate, other in enumerate(others, 1))
    )
    await asyncio.gather(*(other.close() for other in others))
    assert sorted(publication.published.version for publication in publications) == list(range(1, 9))
    assert await connection.fetchval(registry.QUERIES["serial"]) == 8
    stored = await registry.versions_of(connection, "shop")
    assert [one.published_at for one in stored] == sorted(one.published_at for one in stored)


async def test_a_cache_reads_again_only_when_something_was_published(connection: asyncpg.Connection) -> None:
    cache = registry.ProgramCache()
    await registry.publish(connection, document(1))
    async with connection.transaction():
        before = await cache.load(connection, ["shop", "nobody"])
        again = await cache.load(connection, ["shop"])
    await registry.publish(connection, document(2))
    after = await cache.load(connection, ["shop"])
    assert len(before["shop"].all) == 1
    assert before["nobody"] == registry.NONE
    assert again["shop"] is before["shop"], "nothing is compiled twice"
    assert [program.version for program in after["shop"].all] == [1, 2]


async def test_what_is_in_force_is_chosen_by_instant(connection: asyncpg.Connection) -> None:
    await registry.publish(connection, document(1))
    second = (await registry.publish(connection, document(2))).published
    versions = (await registry.load(connection, ["shop"]))["shop"]
    just_before = versions.at(second.in_force_from - timedelta(microseconds=1))
    at = versions.at(second.in_force_from)
    assert just_before is not None
    assert at is not None
    assert (just_before.version, at.version) == (1, 2)


async def test_versions_are_relayed_once_in_the_order_of_publication(connection: asyncpg.Connection) -> None:
    for one in (document(1), document(1, name="other"), document(2)):
        await registry.publish(connection, one)
    topic = Topic()
    await registry.relay(connection, topic.send)
    assert await registry.relay(connection, topic.send) == ()
    assert [record.key for record in topic.records] == [b"shop", b"other", b"shop"]
    event = json.loads(topic.records[2].value)
    assert (event["id"], event["type"]) == ("shop/2", registry.EVENT_TYPE)
    assert event["data"]["document"]["rules"][0]["rate"] == "2"


async def test_a_relay_that_fails_goes_on_later_with_the_same_bytes(connection: asyncpg.Connection) -> None:
    for one in (document(1), document(2)):
        await registry.publish(connection, one)
    broken, whole = Topic(fails_at=1), Topic()
    with pytest.raises(TimeoutError):
        await registry.relay(connection, broken.send)
    await registry.relay(connection, whole.send)
    assert [json.loads(record.value)["id"] for record in whole.records] == ["shop/1", "shop/2"]
    assert whole.records[0] == broken.records[0]


async def test_an_unknown_program_is_named(connection: asyncpg.Connection) -> None:
    with pytest.raises(registry.UnknownProgramError, match="No program is called shop"):
        await registry.version_of(connection, "shop")


async def test_a_document_of_newer_code_is_refused_with_what_to_do(connection: asyncpg.Connection) -> None:
    await registry.publish(connection, document())
    await connection.execute("SET ROLE NONE")
    await connection.execute("""UPDATE earning.program_versions SET document = '{"program": "shop", "new": 1}'""")
    with pytest.raises(ConfigurationError, match="Deploy the code that published it"):
        await registry.load(connection, ["shop"])


async def test_a_published_version_can_not_be_changed_by_the_service(connection: asyncpg.Connection) -> None:
    await registry.publish(connection, document())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("UPDATE earning.program_versions SET document = 'x'")
