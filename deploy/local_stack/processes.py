"""Processes of the local stack: started on their own, recognised by directory, ended by pid, awaited by condition."""

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

POLL_SECONDS = 0.05
KILL_SECONDS = 20.0
LET_GO_SECONDS = 3.0


def spawn(command: Sequence[str], output: Path, environment: Mapping[str, str] | None = None) -> int:
    """Start `command` in a session of its own, its output appended to `output`; returns its pid.

    `environment` is the whole of it; None: this process's own.

    It outlives this process. `posix_spawn` rather than `Popen`: nothing here owns the server, so nothing should
    warn that it is still running.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        command[0],
        list(command),
        os.environ if environment is None else environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def running(pid: int, mark: str) -> bool:
    """Whether `pid` lives and its command line holds `mark`, so that a reused pid is never taken for our server."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process = psutil.Process(pid)
        if gone(process):
            return False
        # For a moment after it was started a process has no command line yet; a pid given again has another one.
        command = process.cmdline()
        return not command or any(mark in part for part in command)
    return False


def gone(process: psutil.Process) -> bool:
    """Whether the process has ended, with all of its threads; whether its parent has heard of it doesn't matter.

    The first thread of a killed broker ends before the others, which still hold its ports and files.
    """
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return not process.is_running()
        if process.num_threads() > 1:
            return False
        with suppress(psutil.TimeoutExpired):
            process.wait(timeout=0)
    except psutil.NoSuchProcess:
        pass
    return True


def family(pid: int) -> list[psutil.Process]:
    """The process and all of its descendants; empty where it is gone."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def any_working_in(directory: Path) -> bool:
    """Whether any living process has `directory` as its working directory (as all processes of a PostgreSQL have)."""
    return any(process.info["cwd"] == str(directory) for process in psutil.process_iter(["cwd"]))


def signal_and_wait(processes: Sequence[psutil.Process], signal_number: signal.Signals, seconds: float) -> bool:
    """Signal each process and wait until all are gone; False where some still live after `seconds`."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal_number)
    return wait_until(lambda: all(gone(process) for process in processes), seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask `condition` until it holds; False where it doesn't within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def port_becomes_free(port: int) -> bool:
    """Whether 127.0.0.1:`port` can be listened on, now or as soon as the one who was just killed there has let go."""
    return wait_until(lambda: port_is_free(port), LET_GO_SECONDS)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now (connections still closing don't count)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log file, or a word saying that there is none."""
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]) or "(empty)"
    except FileNotFoundError:
        return "(no log was written)"
