"""Builders: facts as records, for whoever publishes them: an adapter, a demo, a bench, a test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from shared.broker import Outgoing, timestamp_ms_of
from shared.codec import CONTENT_TYPE
from shared.facts.fact import FactData, envelope_of
from shared.shards import member_key

_encode = msgspec.json.Encoder().encode


class Publisher(NamedTuple):
    """A shop that publishes facts about the members of one program."""

    program: str
    source: str

    def encode(self, data: FactData, *, id: str, member: str, time: datetime) -> bytes:
        """A fact in structured mode, canonical: known fields only, defaults left out.

        `id` is the event's own; `time`, aware, is when it happened.
        """
        said = {"specversion": "1.0", "id": id, "source": self.source, "subject": member, "time": time}
        return _encode(envelope_of(type(data))(**said, program=self.program, data=data))

    def record(
        self, data: FactData, *, id: str, member: str, time: datetime, arrived: datetime | None = None
    ) -> Outgoing:
        """The record of a fact, for the topic `topic_of(data.TYPE, topics)`.

        `arrived` is its timestamp where it isn't the broker's clock that tells it: of history.
        """
        return record(self.encode(data, id=id, member=member, time=time), self.program, member, arrived)

    def event(
        self,
        fact_type: str,
        data: Mapping[str, Any],
        *,
        id: str,
        member: str,
        time: datetime,
        **extensions: str,
    ) -> dict[str, Any]:
        """A fact in structured mode as plain values, its data as it is given: nothing is checked.

        `extensions` are further attributes of CloudEvents.
        """
        return {
            "specversion": "1.0",
            "id": id,
            "source": self.source,
            "type": fact_type,
            "subject": member,
            "time": time.isoformat(),
            **extensions,
            "program": self.program,
            "data": data,
        }


def record(value: bytes, program: str, member: str, arrived: datetime | None = None) -> Outgoing:
    """The record of a fact in structured mode; without `arrived` the broker says when that was."""
    timestamp_ms = None if arrived is None else timestamp_ms_of(arrived)
    return Outgoing(member_key(program, member).encode(), value, [CONTENT_TYPE], timestamp_ms)
