"""The rebuild's processes: partitions shared out among them, their progress added up, all ended when one fails."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import msgspec

from services.projections.rebuild.read import Done, Job
from shared.errors import TallystickError

WORDS_MAX = 2000

_decode = msgspec.json.Decoder(Done).decode


class ReadingFailedError(TallystickError):
    """A process of the rebuild could not read its part of the log; nothing was changed."""


def share_out(until: dict[int, int], processes: int) -> list[dict[int, int]]:
    """Partitions for each process, about the same number of events each; empty shares are left out."""
    shares: list[dict[int, int]] = [{} for _ in range(processes)]
    for partition, position in sorted(until.items(), key=lambda item: -item[1]):
        min(shares, key=lambda share: sum(share.values()))[partition] = position
    return [share for share in shares if share]


async def read_in_processes(jobs: list[Job], on_done: Callable[[Done], None]) -> None:
    """Run the jobs side by side; `on_done` hears of every batch read.

    Raises:
        ReadingFailedError: one failed; the others were ended.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(_run(job, on_done))
    except* ReadingFailedError as errors:
        raise errors.exceptions[0] from None


async def _run(job: Job, on_done: Callable[[Done], None]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.projections.rebuild"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 (pipes were asked for)
    said = asyncio.create_task(process.stderr.read())
    try:
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        await _listen(process.stdout, on_done)
        if await process.wait() != 0:
            last_words = (await said).decode(errors="replace")[-WORDS_MAX:]
            raise ReadingFailedError(f"A process of the rebuild ended:\n{last_words}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        said.cancel()


async def _listen(stream: asyncio.StreamReader, on_done: Callable[[Done], None]) -> None:
    while line := await stream.readline():
        done = _decode(line)
        if done.error:
            raise ReadingFailedError(done.error)
        on_done(done)
