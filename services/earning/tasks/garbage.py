"""Garbage: the collector of reference cycles keeps out of the way of batches, and comes once a minute.

Batches make and drop some 100,000 objects, none of them in cycles; a collector that goes by their number walks those in
flight and the relay's rows again and again, for an eighth of a worker's time.
"""

from __future__ import annotations

import asyncio
import gc

from shared.waiting import wait_for_event

COLLECT_EVERY_S = 60.0
"""How often cycles are looked for: clients that fail leave some, and a collection takes a twentieth of a second."""


def collect_no_more() -> None:
    """Leave what there is by now out of every collection, and collect nothing unasked."""
    gc.freeze()
    gc.disable()


async def collect_each_minute(stopping: asyncio.Event, every_s: float = COLLECT_EVERY_S) -> None:
    """Collect what lies in cycles, again and again, until told to stop."""
    while not await wait_for_event(stopping, every_s):
        gc.collect()
