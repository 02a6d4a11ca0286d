"""What both servers of a stack have in common: a place, a process that is found again, room and ports at the start."""

import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from deploy.local_stack import processes
from deploy.local_stack.errors import DiskFullError, PortTakenError
from deploy.local_stack.state import STATE_FILE, Ports

NEEDED_BYTES = 512 << 20
"""What must be free where a server starts."""


class Server:
    """A server of one stack directory."""

    NAME: ClassVar[str]

    def __init__(self, home: Path, ports: Ports, pid_file: Path, mark: Path) -> None:
        """Describe the server in `home`; nothing is started or written yet. Its command line names `mark`."""
        self._home = home
        self._ports = ports
        self._pid_file = pid_file
        self._mark = mark

    @property
    def pid(self) -> int | None:
        """The pid of the server's first process, or None where it isn't running."""
        with suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(self._pid_file.read_text(encoding="ascii").splitlines()[0])
            if processes.running(pid, str(self._mark)):
                return pid
        return None

    def kill(self) -> None:
        """End all of its processes at once (SIGKILL), as a power cut would, and wait until they are gone."""
        if (pid := self.pid) is not None:
            processes.signal_and_wait(processes.family(pid), signal.SIGKILL, processes.KILL_SECONDS)

    def throw_away(self) -> None:
        """Delete the stopped server's data and logs."""
        shutil.rmtree(self._home, ignore_errors=True)

    def _make_room(self, *ports: int) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._home).free
        if free < NEEDED_BYTES:
            raise DiskFullError(self._home, free, NEEDED_BYTES)
        for port in ports:
            if not processes.port_becomes_free(port):
                raise PortTakenError(self.NAME, port, self._home.parent / STATE_FILE)
