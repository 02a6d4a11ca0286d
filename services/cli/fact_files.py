"""Files of facts: JSON lines of CloudEvents in structured mode, read in order of arrival."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from services.earning.simulate import Arrival
from services.earning.source_events.codec import decode
from services.earning.source_events.facts import Fact
from shared.errors import PermanentError
from shared.reasons import Reason

STDIN = Path("-")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class _Times(msgspec.Struct):
    """What says when a fact reached us: its extension `receivedat`, or else its own time."""

    time: datetime | None = None
    receivedat: datetime | None = None


def read_arrivals(file: Path) -> Iterator[Arrival]:
    """Each line of a file (`-`: stdin) as a fact, or as the error it is refused with; empty lines are passed over.

    Lines are numbered from 1. A fact's received_at is its extension `receivedat`, or else its own time.
    """
    with sys.stdin.buffer if file == STDIN else file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            value = line.strip()
            if value:
                yield Arrival(number, _fact(value))


def _fact(value: bytes) -> Fact | PermanentError:
    try:
        return decode(value, received_at=received_at(value))
    except PermanentError as refusal:
        return refusal


def received_at(value: bytes) -> datetime:
    """When a fact in a file reached us, in UTC; of one that `decode` will refuse, any instant.

    Raises:
        PermanentError: `invalid_time` where `receivedat` is no instant with an offset.
    """
    try:
        times = msgspec.json.decode(value, type=_Times)
    except msgspec.ValidationError as error:
        if "receivedat" in str(error):
            message = "receivedat is not RFC 3339 with an offset"
            raise PermanentError(Reason.INVALID_TIME, message, field="receivedat") from error
        return _NEVER
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _NEVER
    found = times.receivedat or times.time
    if found is None:
        return _NEVER
    if found.tzinfo is None:
        if times.receivedat is None:
            return _NEVER
        raise PermanentError(Reason.INVALID_TIME, "receivedat has no offset", field="receivedat")
    return found.astimezone(UTC)
