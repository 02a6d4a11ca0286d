"""Stories: programs and facts in few words, and a member's books as the core leaves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from services.earning.decide import Decision, advance, decide, decide_message, needs
from services.earning.ledger.ledger import DecideFact, deciding
from services.earning.program.terms import Program, Rule, TierLevel, Tiers, Versions
from services.earning.source_events.facts import Fact
from services.earning.state.standing import Standing
from shared.errors import PermanentError
from shared.facts.fact import FactData
from shared.facts.orders import (
    OrderCancelled,
    OrderFulfilled,
    OrderLine,
    OrderPaid,
    OrderRefunded,
    OrderUpdated,
    RefundLine,
)
from shared.point_events import EventData
from tests.support.model.event_checks import refused_badly, told_badly
from tests.support.stored_rows import StoredRows

ZONE = ZoneInfo("Europe/Berlin")


def instant(text: str) -> datetime:
    """`2026-06-01` or `2026-06-01 15:00`, local time in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def program(**changes: Any) -> Program:
    """One point for one euro, from 2020 on; with changes."""
    settings: dict[str, Any] = {
        "name": "club",
        "version": 1,
        "in_force_from": instant("2020-01-01"),
        "currency": "EUR",
        "zone": ZONE,
        "rules": (Rule("base", rate=Fraction(1)),),
    }
    return Program(**(settings | changes))


def ladder(*levels: tuple[str, int, str], **changes: Any) -> Tiers:
    """Tiers above `bronze`: id, threshold and multiplier of each."""
    made = [TierLevel(name, threshold, Fraction(multiplier)) for name, threshold, multiplier in levels]
    return Tiers("bronze", (TierLevel("bronze", 0), *made), **changes)


def line(line_id: str, subtotal: str, *categories: str, **more: Any) -> OrderLine:
    """A line of one piece."""
    named: dict[str, Any] = {"line_id": line_id, "sku": f"sku-{line_id}", "quantity": 1, "subtotal": subtotal}
    named["categories"] = categories
    named.update(more)
    return OrderLine(**named)


def paid(order_id: str, *lines: OrderLine | str, **more: Any) -> OrderPaid:
    """An order paid; a line given as an amount is called 1, 2 and so on."""
    return OrderPaid(**_order(order_id, lines) | more)


def updated(order_id: str, *lines: OrderLine | str, **more: Any) -> OrderUpdated:
    """An order updated; paid unless said otherwise."""
    return OrderUpdated(**_order(order_id, lines) | {"status": "paid"} | more)


def _order(order_id: str, lines: tuple[OrderLine | str, ...]) -> dict[str, Any]:
    made = [line(str(i), one) if isinstance(one, str) else one for i, one in enumerate(lines, 1)]
    return {"order_id": order_id, "currency": "EUR", "lines": tuple(made)}


def cancelled(order_id: str, **more: Any) -> OrderCancelled:
    return OrderCancelled(order_id=order_id, **more)


def fulfilled(order_id: str, **more: Any) -> OrderFulfilled:
    return OrderFulfilled(order_id=order_id, **more)


def refunded(order_id: str, refund_id: str, amount: str | None = None, /, **more: Any) -> OrderRefunded:
    """A refund by amount, or (`lines={"1": "9.99"}`) by line."""
    lines = more.pop("lines", {})
    made = tuple(one if isinstance(one, RefundLine) else RefundLine(line_id=i, amount=one) for i, one in lines.items())
    return OrderRefunded(order_id=order_id, refund_id=refund_id, amount=amount, lines=made, **more)


@dataclass
class Told:
    """A fact as it arrives: when it happened, when it was received (at once, unless said otherwise)."""

    at: str
    data: FactData
    received: str = ""
    member: str = "ann"
    source: str = "shop"

    def fact(self, number: int) -> Fact:
        return Fact(
            type=self.data.TYPE,
            id=f"fact-{number}",
            source=self.source,
            program="club",
            member=self.member,
            occurred_at=instant(self.at),
            received_at=instant(self.received or self.at),
            data=self.data,
        )


@dataclass
class Story:
    """Members of one program, fact by fact. Every lot is given only when it is asked for, as the service does."""

    versions: Versions
    events: list[EventData] = field(default_factory=list)
    told: int = 0
    inbox: list[Fact] = field(default_factory=list)
    holding: bool = False

    def __post_init__(self) -> None:
        self._stored = StoredRows("club")
        self.standings = self._stored.standings
        self.keys = self._stored.keys
        self.lots = self._stored.lots

    def tell(self, *all_told: Told) -> Story:
        """Decide facts one after the other."""
        for told in all_told:
            self.told += 1
            self.take(told.fact(self.told))
        return self

    def take(self, fact: Fact) -> Decision:
        """Decide one fact."""
        decision = self._decide(fact, decide)
        self.inbox += decision.messages
        while self.inbox and not self.holding:
            self.deliver()
        return decision

    def deliver(self, place: int = 0) -> Decision:
        """Decide one of the messages that wait, for its member."""
        decision = self._decide(self.inbox.pop(place), decide_message)
        self.inbox += decision.messages
        return decision

    def _decide(self, fact: Fact, work: DecideFact) -> Decision:
        standing = self.standings.get(fact.member)
        try:
            decision = self._stored.decide(fact.member, needs(fact).keys, deciding(work, self.versions, standing, fact))
        except PermanentError as error:
            raised(error, fact)
            raise
        return self._keep(decision, fact)

    def until(self, text: str, member: str = "ann") -> Story:
        """Bring a member to an instant."""
        standing, at = self.standings[member], instant(text)
        self._keep(self._stored.decide(member, (), lambda rows: advance(self.versions, standing, rows, at)), None)
        return self

    def _keep(self, decision: Decision, fact: Fact | None) -> Decision:
        member = decision.standing.member
        before = self.standings.get(member)
        self._stored.save(decision)
        self.events += decision.events
        for event in decision.events:
            check(event)
        lots = [*self.lots[member].values()]
        found = told_badly(fact, self.versions, before, decision.standing, decision.events, decision.keys, lots)
        assert not found, found
        return decision

    @property
    def ann(self) -> Standing:
        return self.standings["ann"]

    @property
    def said(self) -> list[str]:
        """Every event so far in words."""
        return [words(event) for event in self.events]


def words(event: EventData) -> str:
    """An event in a few words: `earned 49`, `reversed 24 refunded`, `recorded nothing_changed`."""
    kind = event.TYPE.removeprefix("loyalty.").removesuffix(".v1").removeprefix("points.")
    if kind == "tier.changed":
        return f"tier {event.before} → {event.after}, {event.reason}"  # type: ignore[attr-defined]
    parts = (getattr(event, name, None) for name in ("points", "tier", "reason"))
    return " ".join([kind, *(str(part) for part in parts if part not in {None, ""})])


def raised(error: PermanentError, fact: Fact) -> None:
    """A dead letter says what is wrong, and where."""
    assert not refused_badly(error, fact)


GROWING = {"available", "pending", "reversed", "redeemed", "expired", "reverted", "transferred_out"}


def check(event: EventData) -> None:
    """Rule 31, balanced postings, nothing below zero: after every event."""
    b = event.balances
    came = b.earned + b.restored + b.adjusted + b.imported + b.expired_reversed + b.forgiven + b.reinstated
    went = b.reversed + b.redeemed + b.expired + b.reverted
    assert b.available + b.pending - b.deficit == came + b.transferred_in - b.transferred_out - went
    assert not sum(event.postings.values())
    assert min(b.available, b.pending, b.deficit) >= 0
    assert not (b.deficit and b.available)


def story(**settings: Any) -> Story:
    """The story of one version of a program, with these settings."""
    return Story(Versions((program(**settings),)))


def balances(told: Story) -> tuple[int, int, int]:
    """What `ann` has available, pending and owed."""
    return told.ann.balances.available, told.ann.balances.pending, told.ann.balances.deficit
