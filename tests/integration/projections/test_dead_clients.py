"""Kafka clients that die in silence under a worker or a rebuild: they make others, and go on."""

from collections.abc import Callable
from typing import Any

import pytest

from services.projections.rebuild import rebuild, run
from services.projections.rebuild.read import Done, Job, read_all
from shared.telemetry import Readiness
from tests.dying import end_fetching, started
from tests.eventually import eventually
from tests.integration.projections.projection_rig import Desk


async def test_a_worker_whose_consumer_fetches_no_more_makes_another_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients, said = started(monkeypatch), []
    waits = Readiness.waits

    def noted(self: Readiness, for_what: str, why: str) -> bool:
        said.append(why)
        return waits(self, for_what, why)

    monkeypatch.setattr(Readiness, "waits", noted)
    desk.log.busy(100, seed=1)
    await desk.publish()
    async with desk.worker() as worker:
        await desk.folded()
        (member,) = [one for one in clients if getattr(one, "_group_id", None)]
        end_fetching(member)
        labels = {"client": "projections", "reason": "fetch"}

        def replaced() -> bool:
            return worker.registry.get_sample_value("tallystick_kafka_clients_replaced_total", labels) == 1

        await eventually(replaced, what="its consumer is replaced")
        before = len(desk.log.entries)
        desk.log.busy(100, seed=2)
        await desk.publish(desk.log.entries[before:])
        await desk.folded()
        await eventually(lambda: worker.metrics.readiness.waiting == {}, what="it is ready again")
    assert any("ClientDiedError" in why for why in said)
    assert await desk.balances() == desk.balances_of_log()


async def test_a_rebuild_whose_consumers_fetch_no_more_makes_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of those that read the log, and the first of those that catch up."""
    desk.log.busy(200)
    await desk.publish()
    async with desk.worker():
        await desk.folded()
    before = await desk.tables()

    async def in_this_process(jobs: list[Job], on_done: Callable[[Done], None]) -> None:
        for job in jobs:
            await read_all(job, on_done)

    def dies(client: Any, number: int) -> None:
        if number <= 2:
            end_fetching(client)

    monkeypatch.setattr(run, "read_in_processes", in_this_process)
    clients = started(monkeypatch, dies)
    report = await rebuild(desk.dsn, desk.bootstrap_servers, desk.topics, processes=1)
    assert (report.identical, report.swapped, report.events) == (True, True, len(desk.log.entries))
    assert len(clients) >= 3
    assert await desk.tables() == before
