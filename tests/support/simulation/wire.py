"""The wire between a host and Kafka: a request takes a while, and its host may die or stand still meanwhile."""

from __future__ import annotations

import asyncio

from tests.support.simulation.faults import HOST_FATES, Fates
from tests.support.simulation.kafka import Broker
from tests.support.simulation.loop import here, loop, wait_for_ever


async def pass_by(seconds: float) -> None:
    """Let so much time pass."""
    future = loop().create_future()
    loop().call_later(seconds, come_true, future)
    await future


def come_true(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Client:
    """What every client does: be on a host, and wait for the wire."""

    def __init__(self, broker: Broker, fates: Fates) -> None:
        self._broker = broker
        self._fates = fates
        self._closed = False
        self.host = here()

    async def _ask(self) -> None:
        """A request and its answer, without its content.

        Raises:
            KafkaConnectionError: the broker is down.
        """
        here()
        fate = self._fates.of_request(HOST_FATES)
        await self._fates.before(fate)
        await pass_by(self._fates.latency_s())
        self._fates.after(fate)
        if self.host.dead:
            await wait_for_ever()
        await turn_if_paused(self)
        self._broker.answer()

    async def start(self) -> None:
        """Connect."""
        await self._ask()

    async def stop(self) -> None:
        """Disconnect."""
        here()
        self._closed = True
        await pass_by(self._fates.latency_s())


async def turn_if_paused(client: Client) -> None:
    if client.host.paused:
        await pass_by(0.0)
