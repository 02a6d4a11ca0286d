"""A points log as earning would write it: dense positions, a chain of hashes, balances that add up."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.broker import Outgoing
from shared.codec import chain_of, encode_data, headers_of
from shared.point_events import (
    Balances,
    Cause,
    EventData,
    Key,
    LotChange,
    PointsEarned,
    PointsRedeemed,
    PointsRestored,
    PointsReversed,
    RedemptionRejected,
    RuleShare,
    TierChanged,
)
from shared.shards import member_key, shard_of

BEGIN = datetime(2026, 1, 1, 9, tzinfo=UTC)
GOLD_AT = 500


@dataclass
class Member:
    """A member as the log's author remembers them."""

    balances: Balances = field(default_factory=Balances)
    sequence: int = 0
    tier: str = ""


@dataclass
class Entry:
    """A record of the log: where it goes, its event, and the record."""

    shard: int
    position: int
    event: EventData
    record: Outgoing


@dataclass
class PointsLog:
    """Writes events of members of one program, spread over `shards` partitions; the same seed, the same bytes."""

    shards: int = 4
    program: str = "grocer"
    members: dict[str, Member] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)
    chains: dict[int, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    orders: int = 0

    def earn(self, member: str, points: int) -> Entry:
        """An order earned points; with enough of them the member rises to gold."""
        held = self.members.setdefault(member, Member())
        paid = min(held.balances.deficit, points)
        held.balances.available += points - paid
        held.balances.deficit -= paid
        held.balances.earned += points
        earned = self._write(
            PointsEarned,
            member,
            postings={"available": points - paid, "deficit": paid, "earned": -points},
            points=points,
            rules=[RuleShare(rule="base", points=points - 1), RuleShare(rule="dairy", points=1)],
            lots=[LotChange(lot=held.sequence, change=points, remaining=points, earned_at=BEGIN, available_at=BEGIN)],
            qualifying=str(held.balances.earned),
            fact=ORDER,
        )
        if held.balances.earned >= GOLD_AT and held.tier != "gold":
            self._rise(member, held)
        return earned

    def reverse(self, member: str, points: int) -> Entry:
        """A refund took points back; what is not there becomes deficit."""
        held = self.members[member]
        taken = min(held.balances.available, points)
        held.balances.available -= taken
        held.balances.deficit += points - taken
        held.balances.reversed += points
        return self._write(
            PointsReversed,
            member,
            postings={"available": -taken, "deficit": taken - points, "reversed": points},
            points=points,
            reason="refund",
            fact=ORDER,
        )

    def redeem(self, member: str, points: int, redemption: str) -> Entry:
        """Points were spent."""
        held = self.members[member].balances
        held.available -= points
        held.redeemed += points
        own = {"points": points, "redemption": redemption, "lots": []}
        return self._write(
            PointsRedeemed,
            member,
            Key("shop", "redemption", redemption),
            postings={"available": -points, "redeemed": points},
            **own,
        )

    def restore(self, member: str, points: int, redemption: str) -> Entry:
        """A redemption was cancelled, or some of it."""
        held = self.members[member].balances
        held.available += points
        held.restored += points
        return self._write(
            PointsRestored,
            member,
            Key("shop", "redemption", redemption),
            postings={"available": points, "restored": -points},
            points=points,
            redemption=redemption,
        )

    def reject(self, member: str, redemption: str) -> Entry:
        """A redemption was refused."""
        key = Key("shop", "redemption", redemption)
        return self._write(RedemptionRejected, member, key, redemption=redemption, reason="insufficient_points")

    def busy(self, events: int, *, members: int = 20, seed: int = 1) -> "PointsLog":
        """At least this many further events of some members, drawn by a seed."""
        draw = random.Random(seed)  # noqa: S311 (a test's data)
        enough = len(self.entries) + events
        while len(self.entries) < enough:
            name = f"m{draw.randrange(members)}"
            if name in self.members and draw.random() < 0.2:
                self.reverse(name, draw.randrange(1, 120))
            else:
                self.earn(name, draw.randrange(2, 100))
        return self

    def _rise(self, member: str, held: Member) -> None:
        before, held.tier = held.tier, "gold"
        self._write(
            TierChanged,
            member,
            before=before,
            after="gold",
            reason="threshold",
            since=BEGIN,
            valid_until=BEGIN + timedelta(days=730),
            qualifying=str(held.balances.earned),
        )

    def _write(self, event_class: type[EventData], member: str, key: Key | None = None, **own: Any) -> Entry:
        held = self.members[member]
        held.sequence += 1
        self.orders += 1
        shard = shard_of(self.program, member, self.shards)
        position = self.positions[shard] = self.positions.get(shard, 0) + 1
        event = event_class(
            program=self.program,
            member=member,
            shard=shard,
            position=position,
            chain=self.chains.get(shard, ""),
            sequence=held.sequence,
            decision=held.sequence,
            occurred_at=BEGIN + timedelta(minutes=self.orders),
            decided_at=BEGIN + timedelta(minutes=self.orders, seconds=5),
            cause=Cause("commerce.order.paid.v1", "shop", f"fact-{self.orders}", "commerce.orders", shard, position),
            key=key or Key("shop", "order", f"order-{self.orders}"),
            program_version=1,
            balances=Balances(*(getattr(held.balances, name) for name in Balances.__struct_fields__)),
            **own,
        )
        value = encode_data(event)
        self.chains[shard] = chain_of(value)
        address = member_key(self.program, member).encode()
        timestamp_ms = int(event.decided_at.timestamp() * 1000)
        record = Outgoing(address, value, headers_of(shard, position, event.TYPE), timestamp_ms)
        self.entries.append(Entry(shard, position, event, record))
        return self.entries[-1]


ORDER = {
    "type": "commerce.order.paid.v1",
    "id": "fact-1",
    "source": "shop",
    "occurred_at": "2026-01-01T09:00:00Z",
    "received_at": "2026-01-01T09:00:05Z",
    "data": {
        "order_id": "order-1",
        "currency": "USD",
        "lines": [
            {"line_id": str(n), "sku": f"sku-{n}", "quantity": "1", "subtotal": "12.99", "categories": ["dairy"]}
            for n in range(3)
        ],
    },
}
"""A canonical fact of an ordinary size; read models leave it out."""
