"""Dead letters: each that its table calls relayed lies on the dead-letter topic, as it was told."""

from __future__ import annotations

from collections.abc import Iterable

from aiokafka import ConsumerRecord, TopicPartition

from services.verify.findings import Report
from services.verify.log import Log

Origin = tuple[str, int, int]
"""Topic, partition and offset of the record that was set aside."""


class DeadLetters:
    """What was found on the dead-letter topic so far."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._there: set[Origin | None] = set()
        self._read_to: dict[TopicPartition, int] = {}

    async def check(self, log: Log, relayed: Iterable[Origin], report: Report) -> None:
        """I3: nothing is set aside out of sight. `relayed` was read before the topic's end is looked up here.

        Where retention has taken records from the topic, nothing can be said.
        """
        partitions = [TopicPartition(self._topic, number) for number in await log.partitions(self._topic)]
        begins, ends = await log.beginning_offsets(partitions), await log.end_offsets(partitions)
        if any(begins.values()):
            report.checked["dead letter topics cut by retention"] += 1
            return
        for partition in partitions:
            async for record in log.records(partition, ends[partition], self._read_to.get(partition, 0)):
                self._there.add(_origin(record))
        self._read_to.update(ends)
        for origin in relayed:
            report.checked["dead letters"] += 1
            if origin not in self._there:
                report.add("I3", f"{origin[0]}/{origin[1]} offset {origin[2]}", f"is no record of {self._topic}")


def _origin(record: ConsumerRecord) -> Origin | None:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    try:
        place = headers["dead-letter-partition"], headers["dead-letter-offset"]
        return headers["dead-letter-topic"], int(place[0]), int(place[1])
    except (KeyError, ValueError):
        return None
