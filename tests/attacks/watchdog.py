"""A watchdog over attacked processes: how much memory each took, and an end before they take the machine with them."""

from __future__ import annotations

import resource
import threading
from contextlib import suppress
from typing import Self

import psutil

KILL_BYTES = 3 << 30
"""Resident memory at which a process is ended."""

_ADDRESS_SPACE_BYTES = 8 << 30
"""A second bound, of the kernel's own: what grows between two looks of ours."""

_EVERY_S = 0.05


class Watchdog:
    """Looks at some processes twenty times a second, in a thread of its own."""

    def __init__(self) -> None:
        self.killed: set[str] = set()
        self._peaks: dict[str, int] = {}
        self._watched: dict[str, psutil.Process] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def watch(self, name: str, pid: int) -> None:
        """Look at this process, too; under a name that was known before, instead of the one before."""
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            resource.prlimit(pid, resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, _ADDRESS_SPACE_BYTES))
            self._watched = {**self._watched, name: psutil.Process(pid)}

    def peak_mb(self, name: str) -> int:
        """The most of memory that it had, in MB; 0 where it was never seen."""
        return self._peaks.get(name, 0) // 1_000_000

    def forget_peaks(self) -> None:
        """Measure anew from now on."""
        self._peaks = {}

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S):
            for name, process in self._watched.items():
                with suppress(psutil.NoSuchProcess):
                    self._look(name, process)

    def _look(self, name: str, process: psutil.Process) -> None:
        bytes_now = process.memory_info().rss
        self._peaks[name] = max(bytes_now, self._peaks.get(name, 0))
        if bytes_now > KILL_BYTES:
            process.kill()
            self.killed.add(name)
