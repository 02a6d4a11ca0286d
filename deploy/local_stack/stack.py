"""The stack as one thing: both servers of a directory, or those that the environment names instead."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.local_stack.errors import NotOursError
from deploy.local_stack.kafka import KafkaServer
from deploy.local_stack.postgres import PostgresServer
from deploy.local_stack.state import alone, ports_of

KAFKA_VARIABLE, POSTGRES_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS", "POSTGRES_DSN"


@dataclass(frozen=True)
class Endpoints:
    """Where clients find the servers; empty for a server that was not asked for."""

    bootstrap_servers: str
    dsn: str


@dataclass(frozen=True)
class ServerStatus:
    """One server as seen now. `pid` is None where it is not running, or is not ours (`given`)."""

    name: str
    address: str
    pid: int | None
    answers: bool
    given: bool


class LocalStack:
    """Kafka and PostgreSQL of one directory, without Docker.

    `KAFKA_BOOTSTRAP_SERVERS` and `POSTGRES_DSN` in the environment name servers to use instead of own ones.
    """

    def __init__(self, directory: Path, *, kafka: bool = True, postgres: bool = True) -> None:
        """Describe the stack of `directory`; nothing but its state file is written before `up`."""
        self.directory = Path(directory).resolve()
        self._given_kafka = os.environ.get(KAFKA_VARIABLE, "") if kafka else ""
        self._given_postgres = os.environ.get(POSTGRES_VARIABLE, "") if postgres else ""
        ports = ports_of(self.directory)
        self._kafka = KafkaServer(self.directory, ports) if kafka and not self._given_kafka else None
        self._postgres = PostgresServer(self.directory, ports) if postgres and not self._given_postgres else None

    @property
    def kafka(self) -> KafkaServer:
        """This stack's own broker; raises `NotOursError` where another one is used."""
        if self._kafka is None:
            raise NotOursError(KafkaServer.NAME, KAFKA_VARIABLE)
        return self._kafka

    @property
    def postgres(self) -> PostgresServer:
        """This stack's own database server; raises `NotOursError` where another one is used."""
        if self._postgres is None:
            raise NotOursError(PostgresServer.NAME, POSTGRES_VARIABLE)
        return self._postgres

    @property
    def own_servers(self) -> tuple[PostgresServer | KafkaServer, ...]:
        """The servers that this stack runs itself, in the order in which they start."""
        return tuple(server for server in (self._postgres, self._kafka) if server is not None)

    @property
    def endpoints(self) -> Endpoints:
        """Where the servers are or will be: the same before and after `up`."""
        return Endpoints(
            self._kafka.bootstrap_servers if self._kafka else self._given_kafka,
            self._postgres.dsn if self._postgres else self._given_postgres,
        )

    def up(self) -> Endpoints:
        """Start what isn't running and wait until it answers. Data of earlier runs is there again.

        Raises a `LocalStackError` that says what failed and what to do.
        """
        with alone(self.directory):
            for server in self.own_servers:
                server.start()
        return self.endpoints

    def down(self, *, throw_away: bool = False) -> None:
        """Stop this stack's servers, and with `throw_away` delete their data, ports included."""
        with alone(self.directory):
            for server in reversed(self.own_servers):
                server.stop()
                if throw_away:
                    server.throw_away()
        if throw_away:
            shutil.rmtree(self.directory, ignore_errors=True)

    def status(self) -> tuple[ServerStatus, ...]:
        """Each server that was asked for, as it is now. A given server is not asked anything."""
        asked = (
            (KafkaServer, self._kafka, self._given_kafka, self.endpoints.bootstrap_servers),
            (PostgresServer, self._postgres, self._given_postgres, self.endpoints.dsn),
        )
        return tuple(
            ServerStatus(
                kind.NAME, address, server.pid if server else None, bool(server and server.answers()), bool(given)
            )
            for kind, server, given, address in asked
            if server or given
        )
