"""The local stack, started, killed, stopped and started again for real."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local_stack import LocalStack
from deploy.local_stack.errors import (
    DiskFullError,
    NotOursError,
    PortTakenError,
    RegistryOutOfReachError,
    ServerDiedError,
)
from deploy.local_stack.processes import running
from shared.topics import Topics
from tests.support.databases import execute, fetch


@pytest.fixture(scope="module", autouse=True)
def without_given_servers() -> Iterator[None]:
    """These tests are about servers of one's own, also where others are given to all other tests."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
        environment.delenv("POSTGRES_DSN", raising=False)
        yield


@pytest.fixture
async def written(own_stack: LocalStack, topics: Topics) -> str:
    """A topic with 100 acknowledged records, and a table with 100 committed rows of the same name."""
    servers = own_stack.endpoints.bootstrap_servers
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topics.points, num_partitions=1, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    acknowledged = [await producer.send(topics.points, b"%d" % number, partition=0) for number in range(100)]
    for each in acknowledged:
        await each
    await producer.stop()
    table = f'CREATE TABLE "{topics.points}" AS SELECT generate_series(1, 100) AS number'
    await execute(own_stack.endpoints.dsn, table)
    return topics.points


async def records(stack: LocalStack, topic: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.endpoints.bootstrap_servers)
    try:
        await consumer.start()
        return int((await consumer.end_offsets([TopicPartition(topic, 0)]))[TopicPartition(topic, 0)])
    finally:
        await consumer.stop()


async def rows(stack: LocalStack, table: str) -> int:
    ((number,),) = await fetch(stack.endpoints.dsn, f'SELECT count(*) FROM "{table}"')  # noqa: S608 (a name made by the test)
    return int(number)


async def test_what_was_acknowledged_survives_killing_both_servers(own_stack: LocalStack, written: str) -> None:
    before = own_stack.endpoints
    own_stack.kafka.kill()
    own_stack.postgres.kill()
    assert [server.pid for server in own_stack.status()] == [None, None]
    assert own_stack.up() == before
    assert (await records(own_stack, written), await rows(own_stack, written)) == (100, 100)


async def test_what_was_written_survives_a_stop_and_another_object_finds_it(
    own_stack: LocalStack, written: str
) -> None:
    own_stack.down()
    again = LocalStack(own_stack.directory)
    again.up()
    assert (await records(again, written), await rows(again, written)) == (100, 100)


async def test_servers_start_at_once_after_somebody_else_killed_them(own_stack: LocalStack, written: str) -> None:
    pids = (own_stack.kafka.pid, own_stack.postgres.pid)
    session = await asyncpg.connect(own_stack.endpoints.dsn)
    for pid in pids:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    own_stack.up()
    session.terminate()
    assert (await records(own_stack, written), await rows(own_stack, written)) == (100, 100)


async def test_postgres_recovers_from_an_immediate_stop(own_stack: LocalStack, written: str) -> None:
    own_stack.postgres.stop("immediate")
    own_stack.postgres.start()
    assert await rows(own_stack, written) == 100


def test_up_reuses_servers_that_run(own_stack: LocalStack) -> None:
    own_stack.up()
    pids = (own_stack.kafka.pid, own_stack.postgres.pid)
    own_stack.up()
    assert (own_stack.kafka.pid, own_stack.postgres.pid) == pids != (None, None)


def test_servers_outlive_whoever_started_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.local_stack"]
    where = ["--directory", str(tmp_path / "stack")]
    subprocess.run([*command, "up", *where], check=True, capture_output=True)
    status = subprocess.run([*command, "status", "--json", *where], check=False, capture_output=True, text=True)
    down = subprocess.run([*command, "down", "--throw-away", *where], check=False, capture_output=True, text=True)
    assert (status.returncode, down.returncode) == (0, 0), status.stdout + down.stdout
    assert status.stdout.count('"answers": true') == 2
    assert not (tmp_path / "stack").exists()


def test_a_pid_file_that_names_a_stranger_ends_nobody(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, postgres=False)
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "kafka.pid").write_text(str(os.getpid()), encoding="ascii")
    assert stack.kafka.pid is None
    stack.kafka.kill()
    assert psutil.Process().is_running()


def test_a_taken_port_is_named_with_the_cure(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, kafka=False)
    port = int(stack.endpoints.dsn.rpartition(":")[2].partition("/")[0])
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(PortTakenError, match=r"delete .*stack\.json") as found,
    ):
        stack.up()
    assert (found.value.server, found.value.port) == ("PostgreSQL", port)


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.local_stack.server.NEEDED_BYTES", 1 << 62)
    with pytest.raises(DiskFullError, match="Free some space"):
        LocalStack(tmp_path, kafka=False).up()


def test_a_registry_out_of_reach_is_said_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYSTICK_CACHE", str(tmp_path / "cache"))
    for proxy in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    with pytest.raises(RegistryOutOfReachError, match="KAFKA_BOOTSTRAP_SERVERS"):
        LocalStack(tmp_path / "stack", postgres=False).up()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_broker_that_dies_at_its_start_says_its_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.local_stack.kafka.HEAP", "1k")
    with pytest.raises(ServerDiedError, match="heap"):
        LocalStack(tmp_path, postgres=False).up()


def test_given_servers_are_used_and_never_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    monkeypatch.setenv("POSTGRES_DSN", "postgresql://given@db.example/shop")
    stack = LocalStack(tmp_path)
    assert stack.up().bootstrap_servers == "kafka.example:9092"
    assert stack.endpoints.dsn == "postgresql://given@db.example/shop"
    with pytest.raises(NotOursError, match="KAFKA_BOOTSTRAP_SERVERS"):
        stack.kafka.kill()
    stack.down()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "stack.json"]


def test_a_process_that_only_waits_to_be_noticed_is_not_running() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", "mark-of-this-test"])
    assert running(child.pid, "mark-of-this-test")
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not running(child.pid, "mark-of-this-test")
    child.wait()
