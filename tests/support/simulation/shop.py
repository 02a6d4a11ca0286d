"""Shop: a few members' facts, published as platforms publish them: twice, late, to the wrong partition, in pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from shared.facts.builders import Publisher
from shared.shards import member_key, shard_of
from tests.support.builders.programs import ONE_A_EURO, document

PROGRAM = "shop"
SHOP = Publisher(PROGRAM, "shop-eu")
MEMBERS = ("ann", "bob", "cat")
DOCUMENT = document(
    ONE_A_EURO,
    """
orders: {pending: {days: 1}}
expiry: {mode: after_available, months: 1}
tiers:
  window: rolling
  months: 1
  levels: [{id: bronze}, {id: silver, threshold: 60}]
referrals: {referrer: 20, referee: 10, minimum: 30}
""",
)
REFEREE = "dan"
REFERRER_POINTS, REFEREE_POINTS, MINIMUM = 20, 10, 30

TRAFFIC_S = 8.0
HISTORIES = (timedelta(0), timedelta(days=3), timedelta(days=70))
"""What the shop tells happens now, or it tells its latest days: points are released, expire, and tiers end among it."""

LATEST_S = 4.0
"""What follows of an order, and what comes twice, comes at most so much later."""

TWICE = 0.2
POISON = (b"", b"{", b'{"specversion": "1.0"}', None)


@dataclass
class Order:
    """An order as the shop knows it: whole euros."""

    amount: int
    refunded: int = 0
    cancelled: bool = False

    @property
    def worth(self) -> int:
        """The points it should have earned in the end."""
        return 0 if self.cancelled else max(0, self.amount - self.refunded)


@dataclass
class Account:
    """What a member should have in the end; `rewards` are points of referrals."""

    rewards: int = 0
    orders: dict[str, Order] = field(default_factory=dict)
    adjusted: dict[str, int] = field(default_factory=dict)
    redemptions: dict[str, int] = field(default_factory=dict)


class Publication(NamedTuple):
    """A record to publish: when (seconds from the beginning), with which timestamp, where, and what."""

    at_s: float
    timestamp_ms: int
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


@dataclass
class Traffic:
    """All that is published, and what it should come to. `poison` counts what nobody can read."""

    publications: list[Publication]
    accounts: dict[str, Account]
    facts: int
    poison: int


class _Writer:
    def __init__(self, chance: Random, topics: tuple[str, str], shards: int, began: datetime) -> None:
        self._chance = chance
        self._commands, self._orders = topics
        self._shards = shards
        self._began = began
        self._history = chance.choice(HISTORIES)
        self._strays = chance.choice((0.0, 0.3, 1.0))
        self._ends_s = chance.choice((1.0, TRAFFIC_S))
        self.publications: list[Publication] = []
        self.facts = 0

    def order(self, kind: str, order: str, member: str, at_s: float, **data: Any) -> None:
        self._fact(self._orders, f"commerce.order.{kind}.v1", member, at_s, {"order_id": order, **data})

    def command(self, kind: str, member: str, at_s: float, **data: Any) -> None:
        self._fact(self._commands, f"loyalty.{kind}.v1", member, at_s, data)

    def referral(self, kind: str, member: str, at_s: float, **data: Any) -> None:
        self._fact(self._orders, f"commerce.referral.{kind}.v1", member, at_s, data)

    def _time(self, at_s: float) -> datetime:
        """When what is published at a moment has happened; of a history its end is the present."""
        if not self._history:
            return self._began + timedelta(seconds=at_s)
        return self._began - self._history * (1 - min(1.0, at_s / (TRAFFIC_S + LATEST_S)))

    def moment_s(self) -> float:
        return self._chance.random() * self._ends_s

    def _fact(self, topic: str, kind: str, member: str, at_s: float, data: dict[str, Any]) -> None:
        event = SHOP.event(kind, data, id=f"fact-{self.facts}", member=member, time=self._time(at_s))
        self.facts += 1
        value = json.dumps(event).encode()
        for _ in range(1 + (self._chance.random() < TWICE)):
            self.publish(topic, member, value, at_s + self._chance.random())

    def publish(self, topic: str, member: str, value: bytes | None, at_s: float) -> None:
        stray = self._chance.random() < self._strays
        partition = self._chance.randrange(self._shards) if stray else shard_of(PROGRAM, member, self._shards)
        timestamp_ms = int(self._time(at_s).timestamp() * 1000)
        key = member_key(PROGRAM, member).encode()
        self.publications.append(Publication(at_s, timestamp_ms, topic, partition, key, value))


def traffic(chance: Random, topics: tuple[str, str], shards: int, began: datetime) -> Traffic:
    """Facts of every member: orders and what becomes of them, adjustments, redemptions; some poison between them."""
    writer = _Writer(chance, topics, shards, began)
    accounts = {member: Account() for member in MEMBERS}
    for member, account in accounts.items():
        for number in range(chance.randint(1, 3)):
            _order(chance, writer, account, member, f"{member}-{number}")
        if chance.random() < 0.5:
            _adjustment(chance, writer, account, member)
        for number in range(chance.randint(0, 2)):
            redemption, points = f"r-{member}-{number}", chance.randint(1, 60)
            account.redemptions[redemption] = points
            writer.command("redemption.requested", member, writer.moment_s(), redemption_id=redemption, points=points)
    if chance.random() < 0.5:
        _referral(chance, writer, accounts)
    poison = chance.choice((0, 0, 1, 2))
    for _ in range(poison):
        writer.publish(chance.choice(topics), chance.choice(MEMBERS), chance.choice(POISON), writer.moment_s())
    return Traffic(sorted(writer.publications, key=lambda one: one.at_s), accounts, writer.facts, poison)


def _order(chance: Random, writer: _Writer, account: Account, member: str, name: str) -> None:
    order = account.orders[name] = Order(chance.randint(10, 90))
    at_s = writer.moment_s()
    lines = [{"line_id": "1", "sku": "tea", "quantity": 1, "subtotal": f"{order.amount}.00"}]
    facts: list[tuple[str, dict[str, Any]]] = [("paid", {"currency": "EUR", "lines": lines})]
    for refund, amount in _refunds(chance, order.amount):
        order.refunded += amount
        facts.append(("refunded", {"refund_id": f"{name}-{refund}", "amount": f"{amount}.00"}))
    if chance.random() < 0.2:
        order.cancelled = True
        facts.append(("cancelled", {}))
    for number, (kind, data) in enumerate(facts):
        writer.order(kind, name, member, at_s + number, **data)


def _referral(chance: Random, writer: _Writer, accounts: dict[str, Account]) -> None:
    """A member brings another, on another shard or the same; it counts while anything like the minimum is left."""
    referrer, name = chance.choice(MEMBERS), f"{REFEREE}-0"
    account = accounts[REFEREE] = Account()
    _order(chance, writer, account, REFEREE, name)
    told = {"referral_id": "rf-0", "referrer_id": referrer, "order_id": name}
    writer.referral("completed", REFEREE, writer.moment_s(), **told)
    if account.orders[name].worth >= MINIMUM:
        account.rewards += REFEREE_POINTS
        accounts[referrer].rewards += REFERRER_POINTS


def _refunds(chance: Random, amount: int) -> Iterator[tuple[int, int]]:
    for refund in range(chance.choice((0, 0, 1, 2))):
        yield refund, chance.randint(1, amount)


def _adjustment(chance: Random, writer: _Writer, account: Account, member: str) -> None:
    points = chance.randint(1, 40)
    account.adjusted[f"a-{member}"] = points
    writer.command(
        "points.adjust",
        member,
        writer.moment_s(),
        adjustment_id=f"a-{member}",
        points=points,
        reason="kindness",
        actor_id="op",
    )
