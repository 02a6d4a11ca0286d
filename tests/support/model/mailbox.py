"""Messages under way between members: those of each pair arrive in their order, those of different pairs in any."""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

Pair = tuple[str, str]
"""Who has sent a message, and to whom."""


class Addressed(Protocol):
    """Anything that names the member it is for."""

    @property
    def member(self) -> str: ...


M = TypeVar("M", bound=Addressed)


class Post(Generic[M]):
    """What was sent and has not arrived."""

    def __init__(self) -> None:
        self._under_way: dict[Pair, deque[M]] = {}

    @property
    def waiting(self) -> dict[Pair, int]:
        """How many messages each pair has under way, pairs in order; those without any are left out."""
        return {pair: len(messages) for pair, messages in sorted(self._under_way.items()) if messages}

    def send(self, sender: str, message: M) -> None:
        """Put a message on its way."""
        self._under_way.setdefault((sender, message.member), deque()).append(message)

    def fetch(self, pair: Pair) -> M | None:
        """Take the oldest message of a pair; None: there is none."""
        messages = self._under_way.get(pair)
        return messages.popleft() if messages else None
