"""Supervise: the two services as processes of their own, known by pid file, awaited by their readiness."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from deploy.local_stack import processes
from shared.errors import TallystickError

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
ANSWER_SECONDS = 1.0
_START_TIME_TOLERANCE_S = 0.01
LISTENING = "listening"


class ServiceDiedError(TallystickError):
    """A service ended by itself, or didn't become ready in time.

    Attributes:
        service: its name.
        log: its log file.
    """

    def __init__(self, service: str, what: str, log: Path) -> None:
        super().__init__(f"{service} {what}. Its log says last:\n{processes.tail(log, lines=8)}\n", cure=f"See {log}.")
        self.service = service
        self.log = log


class ServiceProcess:
    """One process of a service: `python -m services.<service>`, its log and pid file in `directory`."""

    def __init__(self, directory: Path, service: str, *, number: int = 1) -> None:
        self.name = service if number == 1 else f"{service}-{number}"
        self._module = f"services.{service}"
        self._instance_variable = f"{service.upper()}_INSTANCE"
        self._pid_file = directory / "run" / f"{self.name}.json"
        self.log_file = directory / "logs" / f"{self.name}.log"

    @classmethod
    def of(cls, pid_file: Path) -> ServiceProcess:
        """The process that a pid file is of."""
        service, _, number = pid_file.stem.partition("-")
        return cls(pid_file.parent.parent, service, number=int(number or 1))

    @property
    def pid(self) -> int | None:
        """Its pid; None where it isn't running."""
        with suppress(FileNotFoundError, ValueError, TypeError, KeyError, psutil.Error):
            known = json.loads(self._pid_file.read_text("ascii"))
            process = psutil.Process(known["pid"])
            # A pid may be given again; a pid with its start time isn't.
            same = abs(process.create_time() - known["started"]) < _START_TIME_TOLERANCE_S
            if same and not processes.gone(process):
                return process.pid
        return None

    @property
    def address(self) -> str | None:
        """Where it answers HTTP, by its own log; None before it listens."""
        found = None
        with suppress(FileNotFoundError):
            for line in self.log_file.read_text("utf-8", errors="replace").splitlines():
                if LISTENING in line:
                    with suppress(ValueError, KeyError):
                        said = json.loads(line)
                        found = f"http://{said['host']}:{said['port']}" if said["event"] == LISTENING else found
        return found

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it, where it isn't running: with this process's environment, and `environment` on top."""
        if self.pid is not None:
            return
        for directory in (self._pid_file.parent, self.log_file.parent):
            directory.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # one log before is kept
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        pid = processes.spawn(
            [sys.executable, "-m", self._module],
            self.log_file,
            environment={**os.environ, self._instance_variable: self.name, **environment},
        )
        self._pid_file.write_text(json.dumps({"pid": pid, "started": psutil.Process(pid).create_time()}), "ascii")

    def waiting_for(self) -> dict[str, str] | None:
        """What it says it waits for (nothing: it is ready); None where it doesn't answer."""
        address = self.address
        if address is None or self.pid is None:
            return None
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=ANSWER_SECONDS) as answer:  # noqa: S310 (our own http address)
                said = answer.read()
        except urllib.error.HTTPError as error:  # 503: it answers, and says why it isn't ready
            said = error.read()
        except OSError:
            return None
        waiting: dict[str, str] = json.loads(said)["waiting"]
        return waiting

    def await_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it is ready.

        Raises:
            ServiceDiedError: it ended, or isn't ready within `seconds`.
        """
        began = time.monotonic()
        in_time = processes.wait_until(lambda: self.pid is None or self.waiting_for() == {}, seconds)
        if self.pid is None:
            raise ServiceDiedError(self.name, f"ended after {time.monotonic() - began:.1f} s", self.log_file)
        if not in_time:
            why = "; ".join(f"{what}: {why}" for what, why in (self.waiting_for() or {}).items()) or "it doesn't answer"
            raise ServiceDiedError(self.name, f"was not ready within {seconds:.0f} s ({why})", self.log_file)

    def stop(self) -> None:
        """End it gracefully, or by force where it takes longer than 30 s."""
        if not self._end(signal.SIGTERM, STOP_SECONDS):
            self.kill()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self._end(signal.SIGKILL, processes.KILL_SECONDS)

    def _end(self, number: signal.Signals, seconds: float) -> bool:
        with suppress(psutil.NoSuchProcess):
            if (pid := self.pid) is not None:
                return processes.signal_and_wait([psutil.Process(pid)], number, seconds)
        return True
