"""The inside of the doubles of Kafka's clients, as the watchdog sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka import TopicPartition

from shared.consumer_watch import FETCH, SEND
from tests.support.simulation.consumer import Consumer, Fetching


class Inside:
    """What `shared.consumer_watch.Inside` tells of aiokafka's clients, told of doubles."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def tasks(self) -> dict[str, str]:
        """What has tasks: a consumer fetches, a producer sends."""
        return {FETCH: "fetching"} if isinstance(self._client, Consumer) else {SEND: "sending"}

    def ended(self) -> Iterator[tuple[str, BaseException | None]]:
        """Fetching, where it has ended."""
        if isinstance(self._client, Consumer) and self._client.fetching is Fetching.ENDED:
            yield FETCH, None

    def is_answered(self) -> bool:
        """Whether its group has given it partitions."""
        return bool(self._client.is_answered)

    def positions(self) -> dict[TopicPartition, int]:
        """The positions that should move on."""
        return dict(self._client.behind())

    def fetching(self) -> set[TopicPartition]:
        """The partitions that they are of."""
        return set(self._client.behind())

    def bury(self) -> None:
        """Nothing of a double is in the way of stopping it."""
