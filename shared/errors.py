"""The two families of errors, which decide the fate of an input: permanent (dead letter) and transient (try again)."""

from __future__ import annotations


class TallystickError(Exception):
    """Every error of ours: what happened, and the cure where there is one.

    Attributes:
        message: what happened, with the names and values involved.
        cure: what the reader can do about it; empty where nothing is known to help.
    """

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message} {self.cure}".rstrip()


class PermanentError(TallystickError):
    """The same input will fail again: it becomes a dead letter.

    Attributes:
        reason: a code of `shared.reasons.Reason`, stable for alerts and SQL.
        field: path of the field at fault (`data.lines[2].subtotal`), where one is.
    """

    def __init__(self, reason: str, message: str, *, field: str = "", cure: str = "") -> None:
        super().__init__(message, cure=cure)
        self.reason = reason
        self.field = field


class TransientError(TallystickError):
    """The world around us fails just now (broker or database away): wait with backoff, then try again."""


class ConfigurationError(TallystickError):
    """A setting, schema or topic is not what this code needs: refuse to start, and say what to do."""


class ForkError(TallystickError):
    """A log holds other content at a position that is already known: its partition stops.

    Attributes:
        shard: partition of the points topic.
        position: the position at which the two histories part.
    """

    def __init__(self, shard: int, position: int, message: str) -> None:
        super().__init__(message, cure="Find the second writer before anything else; see docs/how-to/operate.md.")
        self.shard = shard
        self.position = position


class UnreadableEventError(TallystickError):
    """A point event of our own can't be read: its partition stops, for skipping it would corrupt what follows.

    Attributes:
        shard: partition of the points topic.
        position: the position of the event, by its Kafka headers.
    """

    def __init__(self, shard: int, position: int, message: str) -> None:
        super().__init__(
            f"shard {shard}, position {position}: {message}",
            cure="If earning was upgraded first, upgrade this service; else see docs/how-to/operate.md.",
        )
        self.shard = shard
        self.position = position
