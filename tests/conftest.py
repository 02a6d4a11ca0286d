"""What every test may ask for: the real servers, a migrated database of its own, topic names of its own.

A test that needs a server and can't get one fails. Which servers: own ones by the local stack (default), those of
`KAFKA_BOOTSTRAP_SERVERS` and `POSTGRES_DSN`, or containers with `TALLYSTICK_TEST_SERVERS=docker`.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from deploy.local_stack import LocalStack
from deploy.migrate import migrate
from shared.topics import Topics
from tests.support.databases import copy_of, empty_database

# A machine that runs two servers beside the tests is sometimes slow; CI tries the same examples each time.
settings.register_profile(
    "house",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")

HERE = Path(__file__).parent
DIRECTORY_PREFIX = "tallystick-tests-"
KAFKA_IMAGE, POSTGRES_IMAGE = "confluentinc/cp-kafka:7.9.1", "postgres:18"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with what it costs: its first folder below tests/."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(item.path.relative_to(HERE).parts[0])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: nobody reads a line that says `s`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if reporter and skipped and os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{skipped} skipped: in CI that is a failure", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@contextmanager
def new_stack() -> Iterator[LocalStack]:
    """A running stack in a directory of its own, stopped and thrown away at the end."""
    directory = Path(tempfile.mkdtemp(prefix=f"{DIRECTORY_PREFIX}{os.getpid()}-"))
    stack = LocalStack(directory)
    try:
        stack.up()
        yield stack
    finally:
        stack.down(throw_away=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """The servers of this test session. Who stops or kills one of them starts it again."""
    _clear_left_over_stacks()
    with ExitStack() as servers:
        if os.environ.get("TALLYSTICK_TEST_SERVERS") == "docker":
            _use_containers(servers)
        yield servers.enter_context(new_stack())


@pytest.fixture(autouse=True)
def servers_run(request: pytest.FixtureRequest) -> None:
    """A test that failed between killing a server and starting it again must not fail all that come after it."""
    if "stack" in request.fixturenames:
        stack: LocalStack = request.getfixturevalue("stack")
        if any(server.pid is None for server in stack.own_servers):
            stack.up()


@pytest.fixture(scope="module")
def own_stack() -> Iterator[LocalStack]:
    """A second stack for a module that wants to do it harm."""
    with new_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def bootstrap_servers(stack: LocalStack) -> str:
    """Kafka's address for clients."""
    return stack.endpoints.bootstrap_servers


def new_topics() -> Topics:
    """Topic names that nobody else uses."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    fields = Topics.model_fields.items()
    return Topics.model_validate({name: f"{prefix}.{field.default}" for name, field in fields})


@pytest.fixture
def topics() -> Topics:
    """Topic names that no other test uses; the topics themselves are not made."""
    return new_topics()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template_database(stack: LocalStack) -> AsyncIterator[str]:
    """A superuser's connection string for a migrated database that others are copied from."""
    async with empty_database(stack.endpoints.dsn) as template:
        await migrate(template)
        yield template


@pytest.fixture
async def dsn(template_database: str) -> AsyncIterator[str]:
    """A superuser's connection string for a freshly migrated database of this test's own."""
    async with copy_of(template_database) as own:
        yield own


def _clear_left_over_stacks() -> None:
    """Stop and delete the stacks of test sessions that were killed before they could."""
    for directory in Path(tempfile.gettempdir()).glob(f"{DIRECTORY_PREFIX}*-*"):
        owner = directory.name.removeprefix(DIRECTORY_PREFIX).partition("-")[0]
        if directory.stat().st_uid == os.geteuid() and owner.isdigit() and not psutil.pid_exists(int(owner)):
            LocalStack(directory).down(throw_away=True)
            shutil.rmtree(directory, ignore_errors=True)


def _use_containers(servers: ExitStack) -> None:
    """Start both servers as containers and name them in the environment, where the stack looks first."""
    from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415 (only where a Docker engine answers)
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 (the same)

    kafka = servers.enter_context(KafkaContainer(KAFKA_IMAGE).with_kraft())
    postgres = servers.enter_context(PostgresContainer(POSTGRES_IMAGE, driver=None))
    environment = servers.enter_context(pytest.MonkeyPatch.context())
    environment.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.get_bootstrap_server())
    environment.setenv("POSTGRES_DSN", postgres.get_connection_url(driver=None))
