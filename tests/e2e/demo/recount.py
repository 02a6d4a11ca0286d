"""A second, independent count of the demo: what every member should have, from the file of facts alone.

It imports nothing of the product and shares none of its code: its own reading of the program `grocer` (the words in
`PROGRAM`), of discounts, refunds, waiting, ends, spending, tiers, reviews, cards and referrals, in exact fractions, one
fact after the other. Only the order in which each household's facts were decided is taken from outside: they come on
four topics, and what one household's order means for another is told between them.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from tests.e2e.demo.accounts import TIERS, Account, Award, after_waiting, day
from tests.e2e.demo.orders import BONUS_WEEKEND, Order

PROGRAM = {
    "base": "1 point for 1 USD, fuel and postal services apart; times the tier's multiplier; rounded down",
    "fresh": "half a point more for 1 USD of produce and seafood; times the tier's multiplier; rounded down",
    "big-basket": "25 points for 100 USD or more, everything counted; no multiplier",
    "bonus-weekend": "on 13 and 14 May both of the former count twice, beside the tier's multiplier",
    "tiers": "by points of the calendar year: silver from 1,500 (1.25), gold from 4,000 (1.5), as held before",
    "pending": "spendable after 7 whole days that follow the day of payment",
    "expiry": "gone when the day ends that is 6 months after that; late points live 30 days from now at least",
    "rewards": "five-dollars for 500 points; hamper for 1,500, gold members only",
    "bakery": "25 points at once for each 10 units from the bakery, lost again with them",
    "reviews": "5 points at once, 15 with a photo; verified ones of 20 characters or more, one for each product",
    "referrals": "150 and 50 points once the new one's first order is 10 USD or more, waiting as that does; not for"
    " oneself, nor from the same device or payment; 3 a month for who brings",
}
REWARDS = {"five-dollars": (500, 0), "hamper": (1500, 2)}  # points, level needed
EVERY, CARD_POINTS = 10, 25
REVIEW_POINTS, PHOTO_POINTS, REVIEW_LENGTH = 5, 15, 20
REFERRER_POINTS, REFEREE_POINTS, REFERRAL_MINIMUM, REFERRALS_A_MONTH = 150, 50, 10_00, 3  # minimum in cents
BLOCKING = ("same_device", "same_payment")


class Word(NamedTuple):
    """The step at which a household hears of a referral from the other side of it: to `member`, in their order."""

    member: str
    referral: str
    to_referrer: bool


class Told(NamedTuple):
    """What one side of a referral lets the other know, and when: it counts, or doesn't (any more)."""

    counts: bool
    occurred: datetime
    decided: datetime


@dataclass
class Review:
    """A review as known by now: what it says at its newest, and whether that is gone."""

    said: tuple[datetime, dict[str, Any]] | None = None
    removed_at: datetime | None = None
    refused: bool = False
    award: Award = field(default_factory=Award)


@dataclass
class Referral:
    """A referral, both sides of it; words wait here until the other side hears them."""

    referee: str
    referrer: str
    order_id: str = ""
    signals: dict[str, bool] = field(default_factory=dict)
    counts: bool = False
    to_referrer: deque[Told] = field(default_factory=deque)
    answer: Told | None = None
    order: Order | None = None
    month: tuple[int, int] | None = None  # the place it takes of what is rewarded a month
    for_referrer: Award = field(default_factory=Award)
    for_referee: Award = field(default_factory=Award)


@dataclass
class Member(Account):
    """A household: its account, and all that it did."""

    orders: dict[str, Order] = field(default_factory=dict)
    reviews: dict[str, Review] = field(default_factory=dict)
    reviewed: dict[str, str] = field(default_factory=dict)  # product → the review that counts
    stamps: int = 0
    cards: list[tuple[int, int]] = field(default_factory=list)  # the first of those paid for together, and how many
    card_awards: dict[int, Award] = field(default_factory=dict)
    brought: dict[tuple[int, int], int] = field(default_factory=dict)  # month → referrals rewarded in it
    brought_by: list[Referral] = field(default_factory=list)  # the referrals whose new one it is


def recount(steps: Iterable[bytes | Word]) -> dict[str, Member]:
    """Every member's account after all steps, each member's in the order given; what is told twice counts once."""
    count = _Count()
    queues: dict[str, deque[dict[str, Any] | Word]] = {}
    for step in steps:
        told = step if isinstance(step, Word) else json.loads(step)
        queues.setdefault(told.member if isinstance(told, Word) else told["subject"], deque()).append(told)
    moved = True
    while moved:  # a word is heard once it is said, whoever's steps come first here
        moved = False
        for member, queue in queues.items():
            while queue and count.take(member, queue[0]):
                queue.popleft()
                moved = True
    assert not any(queues.values()), "words that nobody has said"
    assert count.unheard == [], "words that nobody has heard"
    return count.members


class _Count:
    """All members and referrals, one step after the other."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self._referrals: dict[str, Referral] = {}

    @property
    def unheard(self) -> list[str]:
        """Referrals of which one side was told less than the other has said."""
        return [
            name
            for name, referral in self._referrals.items()
            if referral.to_referrer
            or (referral.counts and referral.answer and referral.answer.counts and not referral.for_referee.points)
        ]

    def take(self, name: str, step: dict[str, Any] | Word) -> bool:
        """Take a step of a member; False: it is a word that is not said yet."""
        member = self.members.setdefault(name, Member())
        if isinstance(step, Word):
            return self._hear(member, step)
        data = step["data"]
        known = member.orders.get(data.get("order_id", ""))
        if known is not None and known.paid == data:
            return True
        occurred = datetime.fromisoformat(step["time"])
        member.tick(occurred, datetime.fromisoformat(step.get("receivedat", step["time"])))
        match step["type"].removesuffix(".v1").rsplit(".", 1):
            case ["loyalty.redemption", "requested"]:
                _redeem(member, data, occurred)
            case ["commerce.order", change]:
                self._order(member, change, data, occurred)
            case ["commerce.review", change]:
                _review(member, change, data, occurred)
            case ["commerce.referral", change]:
                self._referral(name, member, change, data, occurred)
            case other:
                message = f"the recount knows no {other}"
                raise ValueError(message)
        return True

    def _order(self, member: Member, change: str, data: dict[str, Any], occurred: datetime) -> None:
        order = member.orders.setdefault(data["order_id"], Order())
        match change:
            case "paid":
                order.sell(data, occurred)
            case "refunded":
                order.refunds[data["refund_id"]] = data
            case "cancelled":
                order.cancelled = True
        if order.paid is None or order.paid_at is None:
            return
        if order.multiplier is None:
            doubled = BONUS_WEEKEND[0] <= order.paid_at < BONUS_WEEKEND[1]
            order.multiplier = TIERS[member.tier_at(occurred)][2] * (2 if doubled else 1)
            order.first = not any(other.paid and other.stands for other in member.orders.values() if other is not order)
        member.bring(order.award, order.worth, occurred, after_waiting(order.paid_at))
        _stamp(member, order, occurred)
        for referral in member.brought_by:
            if referral.order_id == data["order_id"]:
                _follow(member, referral, occurred)

    def _referral(self, name: str, member: Member, change: str, data: dict[str, Any], occurred: datetime) -> None:
        if change == "clicked":
            return
        known = self._referrals.get(data["referral_id"])
        referral = known or Referral(name, data["referrer_id"])
        if known is None:
            self._referrals[data["referral_id"]] = referral
            member.brought_by.append(referral)
        if change == "completed":
            referral.order_id, referral.signals = data["order_id"], data["signals"]
        _follow(member, referral, occurred)

    def _hear(self, member: Member, word: Word) -> bool:
        referral = self._referrals.get(word.referral)
        if referral is None or not (referral.to_referrer if word.to_referrer else referral.answer):
            return False
        told = referral.to_referrer.popleft() if word.to_referrer else referral.answer
        assert told is not None
        member.tick(told.occurred, told.decided)
        if word.to_referrer:
            _answer(member, referral, told)
        elif referral.counts and told.counts:
            assert referral.order is not None
            assert referral.order.paid_at is not None
            spendable_at = after_waiting(referral.order.paid_at)
            member.bring(referral.for_referee, REFEREE_POINTS, told.occurred, spendable_at)
        return True


def _redeem(member: Member, data: dict[str, Any], occurred: datetime) -> None:
    points, level = REWARDS.get(data.get("reward", ""), (data.get("points", 0), 0))
    if member.tier_at(occurred) >= level and member.available >= points:
        member.redeem(points)


def _stamp(member: Member, order: Order, occurred: datetime) -> None:
    """Cards are as many as their stamps fill: those filled together are paid together, the last ones are lost first."""
    units = order.units
    member.stamps += units - order.stamps
    order.stamps = units
    due, paid = member.stamps // EVERY, sum(cards for _, cards in member.cards)
    if due > paid:
        member.cards.append((paid + 1, due - paid))
        _pay_cards(member, *member.cards[-1], occurred)
    while due < paid:
        first, cards = member.cards.pop()
        lost = min(paid - due, cards)
        paid -= lost
        _pay_cards(member, first, cards - lost, occurred)
        if cards > lost:
            member.cards.append((first, cards - lost))


def _pay_cards(member: Member, first: int, cards: int, occurred: datetime) -> None:
    member.bring(member.card_awards.setdefault(first, Award()), CARD_POINTS * cards, occurred)


def _review(member: Member, change: str, data: dict[str, Any], occurred: datetime) -> None:
    """A review is worth what it says at its newest; of two of one product that counts which was there first."""
    review = member.reviews.setdefault(data["review_id"], Review())
    if change == "removed":
        review.removed_at = occurred
    elif review.said is None or review.said[0] < occurred:
        review.said = occurred, data
    if review.said is None:
        return
    said, product = review.said[1], review.said[1]["product_id"]
    counts = said["verified"] and said["length"] >= REVIEW_LENGTH
    if not counts or review.removed_at is not None:  # nobody of the demo writes a review again that was removed
        if member.reviewed.get(product) == data["review_id"]:
            del member.reviewed[product]
        member.bring(review.award, 0, occurred)
        return
    review.refused = review.refused or member.reviewed.setdefault(product, data["review_id"]) != data["review_id"]
    if not review.refused:
        member.bring(review.award, PHOTO_POINTS if said["photos"] else REVIEW_POINTS, occurred)


def _follow(member: Member, referral: Referral, occurred: datetime) -> None:
    """The new one's side: does it count by what is known? Who brought them hears it whenever that changes."""
    order = referral.order = member.orders.get(referral.order_id)
    counts = (
        order is not None
        and order.stands
        and order.left >= REFERRAL_MINIMUM
        and order.first
        and referral.referrer != referral.referee
        and not any(referral.signals.get(signal) for signal in BLOCKING)
    )
    if counts == referral.counts:
        return
    referral.counts = counts
    assert member.decided is not None
    referral.to_referrer.append(Told(counts, occurred, member.decided))
    if not counts:
        member.bring(referral.for_referee, 0, occurred)


def _answer(member: Member, referral: Referral, told: Told) -> None:
    """The side of who brought them: rewarded while there is room in the month of the order; the other side hears it."""
    order = referral.order
    assert order is not None
    assert order.paid_at is not None
    assert member.decided is not None
    month = (day(order.paid_at).year, day(order.paid_at).month)
    if told.counts and member.brought.get(month, 0) < REFERRALS_A_MONTH:
        member.brought[month] = member.brought.get(month, 0) + 1
        referral.month = month
        member.bring(referral.for_referrer, REFERRER_POINTS, told.occurred, after_waiting(order.paid_at))
    elif not told.counts and referral.month is not None:
        member.brought[referral.month] -= 1
        referral.month = None
        member.bring(referral.for_referrer, 0, told.occurred)
    if told.counts:
        referral.answer = Told(referral.month is not None, told.occurred, member.decided)


def steps_of(log: Iterable[dict[str, Any]]) -> Iterator[str | Word]:
    """The steps that a log of point events tells of, each once: a fact's id, or a word from a referral's other side.

    Each member's are in the order of their decisions.
    """
    told: set[tuple[str, str, str]] = set()
    for event in log:
        cause = event["data"]["cause"]
        step = event["subject"], cause["type"], cause["id"]
        if not cause["id"] or step in told:
            continue
        told.add(step)
        if cause["type"].startswith("tallystick.referral."):
            yield Word(event["subject"], event["data"]["key"]["id"], cause["type"].endswith("asked.v1"))
        else:
            yield cause["id"]
