"""An installation under attack: seen as its users and operators see it, by SQL views, the command, HTTP, its logs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
from typer.testing import CliRunner

from services.cli.main import app
from services.cli.supervise import ServiceProcess
from shared.broker import Outgoing, producer, publish
from shared.shards import shard_of
from shared.topics import Topics
from tests.attacks import hostile
from tests.attacks.printed import fetched, last_words_of
from tests.attacks.told import MINIMAL, PROGRAM, Fact, key_of, order, value_of
from tests.attacks.watchdog import KILL_BYTES, Watchdog
from tests.e2e.pipeline import Pipeline, Rows
from tests.eventually import eventually

PROJECT = Path(__file__).parents[2]
SHARDS = 4
SERVICES = ("earning", "projections")
GOES_ON_S = 20.0
"""Within this a fact becomes points on the busiest machine, where nothing holds it up."""

COMMAND_S = 120.0
TRIES = 50
"""So many looks at a process that goes on trying are a second or two."""

MEMORY_MB = 400
"""The most of memory that a process may ever take."""

_AVAILABLE = "SELECT available FROM loyalty.balances WHERE program = $1 AND member = $2"
_LETTERS = 'SELECT reason, text, length(value) FROM earning.dead_letters ORDER BY topic, partition, "offset"'


class PromiseBrokenError(AssertionError):
    """What was promised did not hold; the message says in words what a user or an operator saw instead."""


class Said(NamedTuple):
    """What a command has printed, and its exit code."""

    code: int
    text: str


class Letter(NamedTuple):
    """A dead letter: why, in words, and how many bytes of its value are kept."""

    reason: str
    text: str
    kept: int | None


class Installation:
    """Topics and a database of its own, one process of each service, a watchdog over both."""

    def __init__(self, directory: Path, bootstrap_servers: str, dsn: str, topics: Topics) -> None:
        self.directory = directory
        self.kafka, self.dsn, self.topics = bootstrap_servers, dsn, topics
        self.watchdog = Watchdog()
        self._pipeline = Pipeline(directory, bootstrap_servers, dsn, topics, SHARDS)
        self._probes = 0
        self._settings: dict[str, str] = {}

    @contextmanager
    def running_at_most(self) -> Iterator[None]:
        """Watch it; at the end no process of it runs."""
        with self.watchdog:
            try:
                yield
            finally:
                self._pipeline.stop()

    async def begin(self, document: str = MINIMAL, *, start: bool = True, **settings: str) -> None:
        """Make topics, publish a program, start both services (`settings`: further environment variables)."""
        self._settings = settings
        await self._pipeline.make_topics()
        await self.publish_program(document)
        if start:
            await self.start()

    async def publish_program(self, document: str) -> None:
        """Publish a program by the operator's command."""
        file = self.directory / "program.yaml"
        file.write_text(document, "utf-8")
        said = await self.typed("program", "publish", str(file))
        if said.code:
            raise PromiseBrokenError(f"the program can't be published: {last_words_of(said.text)}")

    # --- processes ---

    async def start(self, *services: str, within: float = GOES_ON_S) -> None:
        """Start services (default: both), and wait until they are ready."""
        for service in services or SERVICES:
            self.launch(service)
        for service in services or SERVICES:
            await self.ready(service, within=within)

    def launch(self, service: str, settings: Mapping[str, str] | None = None, *, number: int = 1) -> ServiceProcess:
        """Start a process of a service; waits for nothing."""
        process = self._pipeline.start(service, {**self._settings, **(settings or {})}, number=number)
        if (pid := process.pid) is not None:
            self.watchdog.watch(process.name, pid)
        return process

    def process(self, name: str) -> ServiceProcess:
        """A process that was started."""
        return next(one for one in self._pipeline.processes if one.name == name)

    async def ready(self, name: str, *, within: float = GOES_ON_S) -> None:
        """Wait until a process is ready.

        Raises:
            PromiseBrokenError: it ended, or isn't within so many seconds.
        """
        process = self.process(name)

        async def settled() -> bool:
            return process.pid is None or await asyncio.to_thread(process.waiting_for) == {}

        try:
            await eventually(settled, what=f"{name} is ready", seconds=within)
        except AssertionError:
            waiting = await asyncio.to_thread(process.waiting_for)
            why = "it doesn't answer" if waiting is None else "; ".join(f"{k}: {v}" for k, v in waiting.items())
            raise PromiseBrokenError(f"{name} is not ready after {within:.0f} s ({why})") from None
        if process.pid is None:
            raise PromiseBrokenError(f"{name} ended: {self.last_words(name)}")

    async def stop(self, *services: str) -> None:
        """End services in good order (default: both)."""
        for service in services or SERVICES:
            await asyncio.to_thread(self.process(service).stop)

    async def restart(self, *services: str) -> None:
        """End services, start them again, and wait until they are ready."""
        await self.stop(*services)
        await self.start(*services)

    def log(self, name: str) -> str:
        """What a process has said since it was started."""
        file = self.process(name).log_file
        return file.read_text("utf-8", errors="replace") if file.exists() else ""

    def last_words(self, name: str) -> str:
        """The last line of a process's log, or who ended it."""
        if name in self.watchdog.killed:
            return f"it took more than {KILL_BYTES >> 30} GB of memory, and was killed for it"
        return last_words_of(self.log(name))

    async def says_something(self, name: str) -> None:
        """Wait until a process has ended, or has gone on to try for a while after it began to listen."""
        process, tries = self.process(name), 0

        async def tried() -> bool:
            nonlocal tries
            tries += process.address is not None
            return process.pid is None or tries > TRIES

        await eventually(tried, what=f"{name} says something")

    async def fetch(self, name: str, path: str) -> tuple[int, str]:
        """What a process answers by HTTP: status and body; 0 where it doesn't."""
        address = self.process(name).address
        if address is None or self.process(name).pid is None:
            return 0, ""
        return await asyncio.to_thread(fetched, f"{address}{path}")

    def within_memory(self, *names: str) -> str:
        """How much memory processes took at most, in words.

        Raises:
            PromiseBrokenError: one took more than `MEMORY_MB`.
        """
        peaks = {name: self.watchdog.peak_mb(name) for name in names or SERVICES}
        told = ", ".join(f"{name} took {peak} MB at most" for name, peak in peaks.items())
        if max(peaks.values()) > MEMORY_MB or self.watchdog.killed & peaks.keys():
            raise PromiseBrokenError(f"{told}; promised: {MEMORY_MB} MB")
        return told

    # --- facts ---

    def partition(self, member: str, program: str = PROGRAM) -> int:
        """The partition of a member."""
        return shard_of(program, member, SHARDS)

    def member_in(self, partition: int, prefix: str) -> str:
        """A member of this partition whom nobody else has for an example."""
        self._probes += 1
        names = (f"{prefix}-{self._probes}-{number}" for number in range(1000))
        return next(name for name in names if self.partition(name) == partition)

    async def send(self, facts: Iterable[Fact], topic: str | None = None, partition: int | None = None) -> int:
        """Publish facts (to the orders topic) as a good publisher does; gives how many."""
        by_partition: dict[int, list[Outgoing]] = {}
        for told in facts:
            place = self.partition(told["subject"], told["program"]) if partition is None else partition
            by_partition.setdefault(place, []).append(Outgoing(key_of(told), value_of(told)))
        return await self._pipeline.publish(by_partition, topic)

    async def put(self, topic: str, partition: int, *records: Outgoing) -> None:
        """Publish records of any content."""
        to = producer(self.kafka, "neighbour")
        await to.start()
        try:
            await publish(to, topic, {partition: records})
        finally:
            await to.stop()

    async def put_raw(self, topic: str, partition: int, records: bytes) -> None:
        """Hand a batch to the broker as it is."""
        async with hostile.Wire(self.kafka) as wire:
            await wire.put(topic, partition, records)

    async def decided(self, at_least: int, *, within: float = 120.0) -> None:
        """Wait until so many inputs became something."""
        await self.comes(
            "SELECT coalesce(sum(applied + duplicate + rejected + dead_letter), 0) >= $1 FROM earning.fences",
            at_least,
            what=f"{at_least} inputs were decided",
            within=within,
        )

    # --- what people see ---

    async def rows(self, query: str, *arguments: object) -> Rows:
        """What a query finds."""
        connection = await asyncpg.connect(self.dsn, timeout=10)
        try:
            return [tuple(row) for row in await connection.fetch(query, *arguments, timeout=COMMAND_S)]
        finally:
            await connection.close()

    async def execute(self, *statements: str) -> None:
        """Run statements as the superuser."""
        connection = await asyncpg.connect(self.dsn, timeout=10)
        try:
            for statement in statements:
                await connection.execute(statement, timeout=600)
        finally:
            await connection.close()

    async def comes(self, query: str, *arguments: object, what: str, within: float = GOES_ON_S) -> None:
        """Wait until a query's answer is true.

        Raises:
            PromiseBrokenError: it isn't within so many seconds.
        """

        async def true() -> bool:
            return await self.rows(query, *arguments) == [(True,)]

        try:
            await eventually(true, what=what, seconds=within)
        except AssertionError as error:
            raise PromiseBrokenError(str(error)) from error

    async def available(self, member: str, program: str = PROGRAM) -> int:
        """The points that a member can spend."""
        return int(str((await self.rows(_AVAILABLE, program, member) or [(0,)])[0][0]))

    async def has(self, member: str, points: int, *, within: float = GOES_ON_S) -> None:
        """Wait until a member has exactly so many points.

        Raises:
            PromiseBrokenError: they have another number after so many seconds.
        """

        async def equal() -> bool:
            return await self.available(member) == points

        try:
            await eventually(equal, what=member, seconds=within)
        except AssertionError:
            found = await self.available(member)
            raise PromiseBrokenError(f"{member} has {found} points after {within:.0f} s, not {points}") from None

    async def letters(self) -> list[Letter]:
        """Earning's dead letters, in the order of their records."""
        return [Letter(*row) for row in await self.rows(_LETTERS)]  # type: ignore[arg-type]

    async def goes_on(self, when: str = "", *, within: float = GOES_ON_S) -> None:
        """Orders of new members, one in each partition, become points that people see.

        Raises:
            PromiseBrokenError: some don't; says which partitions, and what the services say.
        """
        probes = {place: self.member_in(place, "probe") for place in range(SHARDS)}
        await self.send(order(member, f"o-{member}", "7.00") for member in probes.values())

        async def missing() -> list[int]:
            seen = {row[0] for row in await self.rows("SELECT member FROM loyalty.balances WHERE available = 7")}
            return [place for place, member in probes.items() if member not in seen]

        async def none_missing() -> bool:
            return not await missing()

        try:
            await eventually(none_missing, what="", seconds=within)
        except AssertionError:
            left = ", ".join(map(str, await missing()))
            said = "; ".join(self._state(service) for service in SERVICES)
            raise PromiseBrokenError(f"{when or 'then'}: orders of partitions {left} not visible; {said}") from None

    def _state(self, service: str) -> str:
        runs = "runs" if self.process(service).pid is not None else "ended"
        return f"{service} {runs}: {self.last_words(service)}"

    async def survives_a_restart(self) -> None:
        """Orders become points now, and after a restart of both services."""
        await self.goes_on("at once")
        await self.restart()
        await self.goes_on("after a restart")

    # --- what operators see ---

    async def tallystick(self, *arguments: str, within: float = COMMAND_S, **settings: str) -> Said:
        """What the operator's command prints.

        Raises:
            PromiseBrokenError: it ends with a traceback, takes more memory than promised, or doesn't end.
        """
        environment = {**os.environ, **self._pipeline.environment(), **settings, "COLUMNS": "200"}
        command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli.main", *arguments, cwd=PROJECT, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        named = f"`tallystick {' '.join(arguments[:2])}`"
        self.watchdog.watch(named, command.pid)
        try:
            output, _ = await asyncio.wait_for(command.communicate(), within)
        except TimeoutError:
            command.kill()
            await command.wait()
            raise PromiseBrokenError(f"{named} doesn't end within {within:.0f} s") from None
        text = output.decode("utf-8", errors="replace")
        if "Traceback (most recent call last)" in text:
            raise PromiseBrokenError(f"{named} ends with a traceback: {last_words_of(text)}")
        self.within_memory(named)
        return Said(command.returncode or 0, text)

    async def typed(self, *arguments: str, **settings: str) -> Said:
        """The same for commands that surely end: within this process, which spares the second that a start takes.

        Raises:
            PromiseBrokenError: it ends with a traceback.
        """
        environment = {**self._pipeline.environment(), **settings, "COLUMNS": "200"}
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            error = f"{type(done.exception).__name__}: {done.exception}"
            raise PromiseBrokenError(f"`tallystick {' '.join(arguments[:2])}` ends with a traceback: {error[:300]}")
        return Said(done.exit_code, done.output)

    async def status(self) -> dict[str, Any]:
        """What `tallystick status --json` says."""
        said = await self.typed("status", "--json")
        found: dict[str, Any] = msgspec.json.decode(said.text.strip().splitlines()[-1])
        return found | {"exit_code": said.code}

    async def verified(self) -> None:
        """`tallystick verify` finds nothing wrong.

        Raises:
            PromiseBrokenError: it does, or can't look.
        """
        said = await self.tallystick("verify", "--json")
        if said.code:
            raise PromiseBrokenError(f"`tallystick verify` ends with {said.code}: {last_words_of(said.text)[:300]}")

    async def rebuilt(self) -> None:
        """`tallystick rebuild --check` comes to the same read models.

        Raises:
            PromiseBrokenError: it doesn't, or can't read the log.
        """
        said = await self.tallystick("rebuild", "--check")
        if said.code:
            raise PromiseBrokenError(f"`tallystick rebuild --check` ends with {said.code}: {last_words_of(said.text)}")
