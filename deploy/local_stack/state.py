"""What a stack remembers in its directory: the ports it has chosen and Kafka's cluster id."""

import fcntl
import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local_stack.processes import port_is_free

STATE_FILE = "stack.json"
# Below the range that is handed out for outgoing connections: no client takes a port while its server is down.
PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Ports:
    """The TCP ports on 127.0.0.1 that a stack keeps for as long as its state file lives."""

    kafka: int
    kafka_controller: int
    postgres: int


def ports_of(directory: Path) -> Ports:
    """The stack's ports, chosen among the free ones at the first call and the same ever after."""
    state_file = directory / STATE_FILE
    if state_file.exists():
        return Ports(**json.loads(state_file.read_text(encoding="utf-8")))
    ports = Ports(*_free_ports(3))
    directory.mkdir(parents=True, exist_ok=True)
    written = state_file.with_suffix(".new")
    written.write_text(json.dumps(asdict(ports), indent=2) + "\n", encoding="utf-8")
    written.replace(state_file)
    return ports


def _free_ports(count: int) -> list[int]:
    chosen: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if port_is_free(port):
            chosen.append(port)
        if len(chosen) == count:
            break
    return chosen


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the directory for one starting or stopping caller at a time; others wait."""
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
