"""A short campaign at each test run: the same faults in the same order, at whatever moments they hit."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.chaos.campaign import campaign
from tests.chaos.schedule import Plan
from tests.chaos.servers import Servers

SEED = 5
SECONDS = 40.0
KINDS = (
    "worker killed",
    "worker dies at a failpoint",
    "broker killed",
    "Postgres stopped at once",
    "connections cut",
    "disk full",
    "everything killed",
)


@pytest.mark.timeout(170)
async def test_nothing_is_lost_and_nothing_doubled(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "aiokafka")  # the shop's client tells at length that the broker is away
    directory: Path = tmp_path_factory.mktemp("chaos")
    for parent in (directory, directory.parent, directory.parent.parent):
        parent.chmod(0o755)  # Postgres runs as another user than root
    servers = Servers(directory)
    said: list[str] = []
    try:
        await servers.start()
        summary = await campaign(servers, Plan(SEED, SECONDS, kinds=KINDS, once=True), said.append)
    finally:
        await servers.stop()
    assert summary.wrong == [], "\n".join(said)
    assert summary.harms, "\n".join(said)  # how many there are depends on how busy the machine is
