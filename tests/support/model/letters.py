"""Letters: what members of the naive model tell each other, with the time of the fact that they follow from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.earning.source_events.facts import Fact
from tests.support.model.account import KeyId
from tests.support.model.mailbox import Post
from tests.support.model.member import NaiveMember


class Told(Protocol):
    """A fact or a letter: something happened then."""

    @property
    def occurred_at(self) -> datetime: ...


@dataclass(frozen=True)
class Letter:
    """Something for another member, of the business key `key`."""

    sender: str
    member: str
    occurred_at: datetime
    received_at: datetime
    key: KeyId
    data: object

    @classmethod
    def after(cls, cause: Told, sender: NaiveMember, member: str, key: KeyId, data: object) -> Letter:
        """A letter that follows from a fact (or another letter) just decided for its sender."""
        assert sender.decided_at is not None
        return cls(sender.name, member, cause.occurred_at, sender.decided_at, key, data)


Letters = Post[Letter | Fact]
