"""Dead letters: each that its table calls relayed lies on the dead-letter topic, as it was told."""

from __future__ import annotations

from collections.abc import Iterable

from aiokafka import ConsumerRecord, TopicPartition

from services.verify.findings import Report
from services.verify.log import Log

Origin = tuple[str, int, int]
"""Topic, partition and offset of the record that was set aside."""


async def check_dead_letters(log: Log, topic: str, relayed: Iterable[Origin], report: Report) -> None:
    """I3: nothing is set aside out of sight. `relayed` was read before the topic's end is looked up here.

    Where retention has taken records from the topic, nothing can be said.
    """
    partitions = [TopicPartition(topic, number) for number in await log.partitions(topic)]
    begins, ends = await log.begins(partitions), await log.ends(partitions)
    if any(begins.values()):
        report.checked["dead letter topics cut by retention"] += 1
        return
    there = set()
    for partition in partitions:
        async for record in log.records(partition, ends[partition]):
            there.add(_origin(record))
    for origin in relayed:
        report.checked["dead letters"] += 1
        if origin not in there:
            report.add("I3", f"{origin[0]}/{origin[1]} offset {origin[2]}", f"is no record of {topic}")


def _origin(record: ConsumerRecord) -> Origin | None:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    try:
        place = headers["dead-letter-partition"], headers["dead-letter-offset"]
        return headers["dead-letter-topic"], int(place[0]), int(place[1])
    except (KeyError, ValueError):
        return None
