"""Striking: one attack on one fresh installation, and what became of it."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from deploy.local_stack import LocalStack
from deploy.migrate import migrate
from shared.errors import TallystickError
from tests.attacks.catalogue import Attack
from tests.attacks.installation import Installation
from tests.conftest import _clear_left_over_stacks, new_stack, new_topics
from tests.support.databases import empty_database

MINUTES_MAX = 15
"""How long a single attack may take."""


class Outcome(NamedTuple):
    """What became of an attack: whether the promise held, and what was seen."""

    attack: Attack
    held: bool
    what: str
    seconds: float


@contextmanager
def fresh_stack() -> Iterator[LocalStack]:
    """Servers of their own, ended whoever ends this process in good order."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before its time"))
    _clear_left_over_stacks()
    with new_stack() as stack:
        yield stack


@asynccontextmanager
async def new_template(dsn: str) -> AsyncIterator[str]:
    """The connection string of a migrated database that others are copied from."""
    async with empty_database(dsn) as template:
        await migrate(template)
        yield template


async def strike(attack: Attack, bootstrap_servers: str, dsn: str) -> Outcome:
    """One attack; whatever goes wrong in it means that the promise did not hold."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tallystick-attack-") as directory:
        victim = Installation(Path(directory), bootstrap_servers, dsn, new_topics())
        with victim.running_at_most():
            try:
                async with asyncio.timeout(MINUTES_MAX * 60):
                    what, held = await attack.strike(victim), True
            except AssertionError as error:
                what, held = str(error), False
            except (TallystickError, OSError, TimeoutError) as error:
                what, held = f"{type(error).__name__}: {error}", False
    return Outcome(attack, held, what, time.monotonic() - began)
