"""The naive model: a member recomputed from the list of their facts, in order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

from services.earning.program.terms import Program, Versions
from services.earning.source_events.facts import Fact, MemberEnrolled
from tests.model.account import Account, KeyId, NaiveLot
from tests.model.awards import Award, Who
from tests.model.awards import award as award_of
from tests.model.days import local_date, plus_months
from tests.model.ladder import (
    LIFETIME,
    check_at,
    index_of,
    level_for,
    qualified,
    valid_until,
    window_after,
    window_before,
    window_of,
)
from tests.model.order_facts import OrderView, content, view
from tests.model.priced import ZERO, money, price, refunded

SETTLE = timedelta(hours=1)
FUTURE = timedelta(minutes=5)
HISTORY_MONTHS = 24


class DeadLetterError(Exception):
    """The fact can't be decided; nothing changes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Pinned:
    """What is answered once for an order, when it is first decided (rules 5, 36, 50)."""

    tier: str
    segments: tuple[str, ...]
    first_order: bool


@dataclass
class NaiveOrder:
    """An order: the facts seen, what is pinned, what it is worth now."""

    owner: str
    facts: list[Fact] = field(default_factory=list)
    pinned: Pinned | None = None
    award: Award = field(default_factory=Award)
    qualifies: int = 0
    window: str = ""
    left: bool = False


@dataclass
class NaiveMember:
    """A member as far as time has come."""

    name: str
    account: Account = field(default_factory=Account)
    clock: datetime | None = None
    decided_at: datetime | None = None
    orders: dict[KeyId, NaiveOrder] = field(default_factory=dict)
    tier: str = ""
    history: list[tuple[datetime, str]] = field(default_factory=list)
    enrolments: list[Fact] = field(default_factory=list)

    def totals(self) -> dict[str, int]:
        """What qualifies, by window: simply the sum over all orders."""
        totals: dict[str, int] = {}
        for order in self.orders.values():
            totals[order.window] = totals.get(order.window, 0) + order.qualifies
        return totals


class Naive:
    """All members of one program."""

    def __init__(self, versions: Versions) -> None:
        self.versions = versions
        self.members: dict[str, NaiveMember] = {}
        self.owners: dict[KeyId, str] = {}

    def take(self, fact: Fact) -> str:
        """One fact in order of arrival; returns applied, duplicate, or the reason of the dead letter."""
        try:
            return self._take(fact)
        except DeadLetterError as error:
            return error.reason

    def advance(self, name: str, until: datetime) -> None:
        """Bring a member's time forward."""
        member = self.members.get(name)
        if member is not None and member.clock is not None and until > member.clock:
            self._advance(member, until)

    def counting(self, name: str) -> set[str]:
        """The windows that a member's tier can still depend on."""
        member = self.members[name]
        program = self.versions.at(member.clock) if member.clock else None
        if program is None or program.tiers is None or member.clock is None:
            return set()
        window = window_of(program.tiers, program, member.clock)
        return {window} if window == LIFETIME else {window, window_before(window), window_after(window)}

    def _take(self, fact: Fact) -> str:
        if fact.occurred_at > fact.received_at + FUTURE:
            raise DeadLetterError("occurred_in_future")
        if not self.versions.all:
            raise DeadLetterError("unknown_program")
        if isinstance(fact.data, MemberEnrolled):
            return self._enrol(fact)
        return self._order_fact(fact)

    def _member(self, fact: Fact) -> NaiveMember:
        """The member, with time brought as far as this fact says."""
        member = self.members.setdefault(fact.member, NaiveMember(fact.member))
        decided_at = max(fact.received_at, member.decided_at or fact.received_at)
        until = max(min(fact.occurred_at, decided_at), decided_at - SETTLE)
        self._advance(member, max(until, member.clock or until))
        member.decided_at = decided_at
        return member

    def _advance(self, member: NaiveMember, until: datetime) -> None:
        """Work off what is due up to and including an instant."""
        start = member.clock
        program = self.versions.at(until)
        if start is not None and program is not None and program.tiers is not None:
            tiers = program.tiers
            if tiers.window == "calendar_year":
                ended = window_before(window_of(tiers, program, start))
                while check_at(tiers, program, ended) <= until:
                    if check_at(tiers, program, ended) > start:
                        self._window_ended(member, program, ended)
                    ended = window_after(ended)
        member.clock = until

    def _window_ended(self, member: NaiveMember, program: Program, ended: str) -> None:
        tiers, totals = program.tiers, member.totals()
        assert tiers is not None
        held = index_of(tiers, member.tier)
        fit = level_for(tiers, max(totals.get(ended, 0), totals.get(window_after(ended), 0)))
        if fit < held:
            to = held - 1 if tiers.fall == "one_level" else fit
            self._hold(member, tiers.levels[to].id, check_at(tiers, program, ended))

    def _hold(self, member: NaiveMember, tier: str, since: datetime) -> None:
        member.tier = tier
        member.history.append((since, tier))

    def _enrol(self, fact: Fact) -> str:
        known = self.members.get(fact.member)
        if known and any((seen.occurred_at, seen.data) == (fact.occurred_at, fact.data) for seen in known.enrolments):
            return "duplicate"
        member = self._member(fact)
        member.enrolments.append(fact)
        self._settle_tier(member, member.totals())
        return "applied"

    def _order_fact(self, fact: Fact) -> str:
        key: KeyId = (fact.source, "order", fact.data.order_id)  # type: ignore[union-attr]
        if self.owners.get(key, fact.member) != fact.member:
            raise DeadLetterError("owned_by_another_member")
        known = self.members.get(fact.member)
        if known and key in known.orders and content(fact) in map(content, known.orders[key].facts):
            return "duplicate"
        seen = known.orders[key].facts if known and key in known.orders else []
        self._refuse(view([*seen, fact]))
        member = self._member(fact)
        self.owners[key] = fact.member
        order = member.orders.setdefault(key, NaiveOrder(fact.member))
        order.facts.append(fact)
        before = member.totals()
        self._decide(member, key, order, fact)
        self._settle_tier(member, before)
        return "applied"

    def _refuse(self, order: OrderView) -> None:
        """Dead letters that only the program can tell (rule 8)."""
        program = self.versions.at(order.when) if order.when else None
        if program and order.sold and order.sold.currency != program.currency and order.rate is None:
            raise DeadLetterError("no_exchange_rate")

    def _decide(self, member: NaiveMember, key: KeyId, order: NaiveOrder, fact: Fact) -> None:
        """What the order is worth now, from all its facts; the difference is booked."""
        now = view(order.facts)
        if order.pinned is None and now.open and now.when is not None:
            order.pinned = self._pin(member, order, now.when)
        fresh, spend = self._worth(order, now)
        program = self.versions.at(now.when) if now.when else None
        change = fresh.points - order.award.points
        order.award = fresh
        if program is not None and program.tiers is not None and now.when is not None:
            order.window = window_of(program.tiers, program, now.when)
            order.qualifies = spend if program.tiers.measure == "spend" else fresh.points
        if change > 0:
            member.account.counters["earned"] += change
            number = len(member.account.lots) + 1
            member.account.add(NaiveLot(number, key, change, change, fact.occurred_at, member.decided_at))
        elif change < 0:
            assert program is not None or order.pinned is not None
            forgive = program is not None and program.deficit == "forgive"
            member.account.reverse(key, -change, forgive=forgive)

    def _pin(self, member: NaiveMember, order: NaiveOrder, when: datetime) -> Pinned:
        others = any(other.left for other in member.orders.values() if other is not order)
        return Pinned(self._tier_at(member, when), self._segments(member), not others)

    def _tier_at(self, member: NaiveMember, when: datetime) -> str:
        """The tier held at an instant, by the history of 24 months (rule 37)."""
        program = self.versions.at(when)
        base = program.tiers.base if program is not None and program.tiers is not None else ""
        assert program is None or member.clock is not None
        if program is not None and member.clock is not None:
            oldest = plus_months(local_date(member.clock, program.zone), -HISTORY_MONTHS)
            if local_date(when, program.zone) < oldest:
                return base
        return next((tier for since, tier in reversed(member.history) if since <= when), base)

    def _segments(self, member: NaiveMember) -> tuple[str, ...]:
        newest = max(member.enrolments, key=lambda fact: fact.occurred_at, default=None)
        return newest.data.segments if newest else ()  # type: ignore[union-attr]

    def _worth(self, order: NaiveOrder, now: OrderView) -> tuple[Award, int]:
        """Award and spend (whole micros of the program's currency)."""
        order.left = False
        program = self.versions.at(now.when) if now.when else None
        if not now.open or now.sold is None or now.when is None or order.pinned is None:
            return Award(), 0
        basis = program.basis if program else self.versions.all[0].basis
        lines = refunded(price(now.sold, basis), now.sold, now.refunds, basis)
        order.left = any(line.gone < 1 for line in lines if line.line is not None)
        if program is None or (program.gate == "fulfilled" and now.status != "fulfilled"):
            return Award(), 0
        rate = Fraction(1) if now.sold.currency == program.currency else money(now.rate or "0")
        who = Who(now.when, order.pinned.tier, order.pinned.segments, order.pinned.first_order, now.channel, now.store)
        spend = floor(sum((line.left for line in lines), ZERO) * rate * 1_000_000)
        return award_of(program, who, lines, rate), spend

    def _settle_tier(self, member: NaiveMember, before: dict[str, int]) -> None:
        """Up at once; down at once only where the rules say so (rules 23, 60)."""
        assert member.clock is not None
        program = self.versions.at(member.clock)
        if program is None or program.tiers is None:
            return
        tiers, totals = program.tiers, member.totals()
        held, fit = index_of(tiers, member.tier), qualified(tiers, program, totals, member.clock)
        window = window_of(tiers, program, member.clock)
        if fit < held and window != LIFETIME:
            closed = window_before(window)
            threshold = tiers.levels[held].threshold
            crossed = before.get(closed, 0) >= threshold > totals.get(closed, 0)
            if not crossed or check_at(tiers, program, closed) > member.clock:
                return
        if fit != held:
            self._hold(member, tiers.levels[fit].id, member.clock)

    def tier_of(self, name: str) -> tuple[str, datetime | None]:
        """The tier a member holds and until when."""
        member = self.members[name]
        program = self.versions.at(member.clock) if member.clock else None
        if program is None or program.tiers is None or member.clock is None:
            return member.tier, None
        tiers = program.tiers
        level = index_of(tiers, member.tier)
        return tiers.levels[level].id, valid_until(tiers, program, member.totals(), level, member.clock)


def run(versions: Versions, facts: Iterable[Fact], until: datetime | None = None) -> tuple[Naive, list[str]]:
    """All facts in order of arrival, then time up to `until`; the model and what became of every fact."""
    model = Naive(versions)
    outcomes = [model.take(fact) for fact in facts]
    if until is not None:
        for name in model.members:
            model.advance(name, until)
    return model, outcomes
