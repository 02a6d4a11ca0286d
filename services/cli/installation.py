"""The local installation as one thing: servers, schema, topics and the two services, up and down together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from deploy import topics as plan
from deploy.local_stack import Endpoints, LocalStack
from deploy.migrate import migrate
from services.cli.connections import remember
from services.cli.supervise import ServiceProcess
from shared.topics import Topics

SERVICES = ("earning", "projections")

Say = Callable[[str], None]
"""Told of each step, in a sentence without its full stop."""


class Installation:
    """Kafka, PostgreSQL and the services of one directory; servers that the environment names are used instead."""

    def __init__(self, directory: Path, *, workers: int = 1) -> None:
        """Describe the installation of `directory`, with `workers` processes of each service; nothing is started."""
        self.directory = directory.resolve()
        self.services = tuple(
            ServiceProcess(self.directory, service, number=number)
            for service in SERVICES
            for number in range(1, workers + 1)
        )

    @cached_property
    def stack(self) -> LocalStack:
        """The servers; asking for them chooses their ports."""
        return LocalStack(self.directory)

    def up(self, shards: int, say: Say) -> Endpoints:
        """Start what isn't running, in the order in which each needs the other, and wait until all is ready.

        Raises:
            LocalStackError: a server can't be started.
            ConfigurationError: the database or the topics were made for something else.
            ServiceDiedError: a service doesn't become ready.
        """
        endpoints = self.servers_up(shards, say)
        self.services_up(endpoints, shards, say)
        return endpoints

    def servers_up(self, shards: int, say: Say) -> Endpoints:
        """The servers with their schema and topics, without the services."""
        endpoints = self.stack.up()
        say(f"Kafka answers at {endpoints.bootstrap_servers}, PostgreSQL at {endpoints.dsn}")
        applied = asyncio.run(migrate(endpoints.dsn))
        say(f"{len(applied)} migrations applied" if applied else "the schema is up to date")
        made = asyncio.run(plan.create(endpoints.bootstrap_servers, Topics(), shards))
        created = f"{len(made)} topics created, {shards} partitions each for facts and points"
        say(created if made else "all topics are there")
        remember(self.directory, shards)
        return endpoints

    def services_up(self, endpoints: Endpoints, shards: int, say: Say) -> None:
        """The services, each as a process of its own."""
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": endpoints.bootstrap_servers,
            "POSTGRES_DSN": endpoints.dsn,
            "POINTS_PARTITIONS": str(shards),
        }
        for service in self.services:
            service.start(environment)
        for service in self.services:
            service.await_ready()
            say(f"{service.name} is ready: pid {service.pid}, {service.address}, log {service.log_file}")

    def down(self, say: Say, *, throw_away: bool = False) -> None:
        """Stop the services, then the servers; with `throw_away` delete all data too."""
        for service in self.services:
            service.stop()
        say("the services have stopped")
        self.stack.down(throw_away=throw_away)
        if throw_away:
            del self.stack  # its ports are forgotten too: what comes next chooses anew
        say(f"the servers have stopped; their data is {'deleted' if throw_away else 'kept'}")
