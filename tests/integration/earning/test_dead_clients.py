"""Kafka clients that die in silence under a worker: it says so, makes others, and goes on."""

from __future__ import annotations

from typing import Any

import pytest

from services.earning.app import App
from services.verify.checker import verify
from shared.telemetry import Readiness
from tests.dying import end_fetching, end_sending, started
from tests.eventually import eventually
from tests.integration.earning.earning_rig import BEGAN, paid
from tests.integration.earning.worker import Town, sent

AT_MS = int(BEGAN.timestamp() * 1000)


def orders(name: str, number: int) -> dict[int, list[Any]]:
    return {0: sent([paid(f"{name}-{at}") for at in range(number)], timestamp_ms=AT_MS)}


def waited(patch: pytest.MonkeyPatch) -> list[str]:
    """What anybody has waited for, so far."""
    said: list[str] = []
    waits = Readiness.waits

    def noted(self: Readiness, for_what: str, why: str) -> bool:
        said.append(f"{for_what}: {why}")
        return waits(self, for_what, why)

    patch.setattr(Readiness, "waits", noted)
    return said


def replaced(worker: App, client: str, reason: str) -> float | None:
    labels = {"client": client, "reason": reason}
    return worker.registry.get_sample_value("tallystick_kafka_clients_replaced_total", labels)


async def goes_on(town: Town, worker: App, inputs: int) -> None:
    """Whether more is decided and published, and the worker is ready."""
    await town.decided(inputs)
    await town.emitted()
    await eventually(lambda: worker.readiness.waiting == {}, what="the worker is ready again")


async def test_a_worker_whose_consumer_fetches_no_more_makes_another_one(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients, said = started(monkeypatch), waited(monkeypatch)
    async with town.worker() as worker:
        await town.decided(await town.publish(orders("a", 5)))
        (member,) = [one for one in clients if getattr(one, "_group_id", None)]
        end_fetching(member)
        await eventually(lambda: replaced(worker, "intake", "fetch") == 1, what="it is replaced")
        await town.publish(orders("b", 5))
        await goes_on(town, worker, 10)
    assert any(line.startswith("kafka: ClientDiedError") for line in said)
    assert await town.totals() == (10, 0, 0, 0)


async def test_a_relay_whose_producer_sends_no_more_makes_another_one(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients, said = started(monkeypatch), waited(monkeypatch)
    async with town.worker() as worker:
        await town.decided(await town.publish(orders("a", 5)))
        await town.emitted()
        for client in clients:
            if getattr(client, "_sender", None) is not None and not client._closed:
                end_sending(client)
        await town.publish(orders("b", 5))
        await goes_on(town, worker, 10)
        assert replaced(worker, "producer", "send") == 1
    assert any(line.startswith("relay: ClientDiedError") for line in said)


async def test_a_check_goes_on_where_its_consumer_has_died(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async with town.worker():
        await town.decided(await town.publish(orders("a", 20)))
        await town.emitted()
    first: list[Any] = []

    def dies(client: Any, _: int) -> None:
        if client._client._client_id == "tallystick-verify" and not first:
            first.append(client)
            end_fetching(client)

    clients = started(monkeypatch, dies)
    report = await verify(town.bootstrap_servers, town.dsn, town.topics)
    assert report.findings[:-1] == []
    assert report.checked["inputs"] == 20
    assert len([one for one in clients if one._client._client_id == "tallystick-verify"]) == 2
