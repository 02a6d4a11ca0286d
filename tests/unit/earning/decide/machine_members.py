"""Steps of the machine in which members touch members: referrals, and the messages that come of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from shared.facts.members import MemberClaimed
from shared.facts.orders import OrderCancelled, OrderFulfilled, OrderPaid, OrderRefunded, RefundLine
from shared.facts.referrals import ReferralClicked, ReferralCompleted, ReferralJoined, ReferralUnblock, ReferralVoided
from tests.support.model.mailbox import Pair
from tests.support.model.referrals import SIGNALS
from tests.support.model.shorten import Step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from shared.facts.fact import FactData
    from tests.support.model.chance import Chance
    from tests.support.model.core import Core
    from tests.support.model.naive import Naive

LATE_MAX = timedelta(days=1)
MEMBERS = ("ann", "bob", "cat")
CLAIMS = (("ann", "bob"), ("ann", "cat"), ("bob", "ann"))
REFERRALS = (("f1", "ann", "cat"), ("f2", "bob", "cat"), ("f3", "cat", "ann"), ("f4", "bob", "bob"))
"""Each with its referee and its referrer."""


class MembersTouchMembers(RuleBasedStateMachine):
    """Messages arrive late, and in any order between different pairs of members."""

    if TYPE_CHECKING:
        chance: Chance
        core: Core
        merges: bool
        now: datetime
        quiet_at: datetime
        model: Naive
        sold: dict[str, tuple[str, dict[str, Any]]]

        def _wait(self) -> None: ...
        def _send(self, member: str, content: FactData) -> None: ...
        def _step(self, step: Step) -> None: ...
        def _sell(self, member: str) -> None: ...

    def _arrives(self, pair: Pair) -> None:
        self._step(Step(self.now, pair=pair))

    def before_it_is(self, then: datetime) -> None:
        """No message is under way for more than a day."""
        if not self.core.post.waiting:
            self.quiet_at = self.now
        elif then - self.quiet_at > LATE_MAX:
            self.all_arrive()

    def all_arrive(self) -> None:
        """Until nothing is under way, in any order."""
        while self.core.post.waiting:
            self._arrives(self.chance.among(list(self.core.post.waiting)))
        self.quiet_at = self.now

    def messages_arrive(self) -> None:
        """Some of the messages under way arrive."""
        while self.core.post.waiting and not self.chance.once_in(3):
            self._arrives(self.chance.among(list(self.core.post.waiting)))

    @precondition(lambda self: self.core.post.waiting)
    @rule()
    def a_message_arrives(self) -> None:
        self._arrives(self.chance.among(list(self.core.post.waiting)))

    @rule()
    def refers(self) -> None:
        """A referral's facts: mostly of one referee and one referrer, now and then of others."""
        self._wait()
        name, referee, referrer = self.chance.one(*REFERRALS[:2], *REFERRALS)
        if self.chance.once_in(12):
            referee, referrer = self.chance.among(MEMBERS), self.chance.among(MEMBERS)
        content = self.chance.either(
            lambda: self._completed(name, referee, referrer),
            lambda: self._completed(name, referee, referrer),
            lambda: ReferralJoined(referral_id=name, referrer_id=referrer),
            lambda: ReferralClicked(referral_id=name),
            lambda: self.chance.one(ReferralVoided, ReferralUnblock)(referral_id=name),
        )
        self._send(self._subject(referrer if isinstance(content, ReferralClicked) else referee), content)

    @rule()
    def brings(self) -> None:
        """One member after the other is brought by the same, and buys."""
        self._wait()
        name, referee, referrer = self.chance.among(REFERRALS[:2])
        self._send(self._subject(referee), self._completed(name, referee, referrer))

    def _completed(self, name: str, referee: str, referrer: str) -> ReferralCompleted:
        """By an order of the referee; mostly they have one by then."""
        if not self._orders_of(referee) and not self.chance.once_in(3):
            self._sell(referee)
        signals = self.chance.subset(SIGNALS, 0, 2) if self.chance.once_in(4) else ()
        return ReferralCompleted(
            referral_id=name,
            referrer_id=referrer,
            order_id=self.chance.one(*self._orders_of(referee), self.chance.one("o1", "o2")),
            signals={signal: not self.chance.once_in(3) for signal in signals},
        )

    @precondition(lambda self: self.merges)
    @rule()
    def claims(self) -> None:
        """A member is found to be another id, too: a guest, a second account, themselves, an alias, who claims them."""
        self._wait()
        pairs = [pair for pair in CLAIMS if self._has_something(pair[1])]
        if self.chance.once_in(12):
            pairs = [(self.chance.among(MEMBERS), self.chance.among(MEMBERS))]
        if pairs:
            member, guest = self.chance.among(pairs)
            self._send(member, MemberClaimed(guest=guest))

    def _has_something(self, member: str) -> bool:
        known = self.model.members.get(member)
        return known is not None and bool(known.account.deficit or known.account.available or known.account.pending)

    def _subject(self, member: str) -> str:
        """Who a fact of a member names: them, or (where they were claimed) as well who claimed them."""
        known = self.model.members.get(member)
        owner = known.claimed_by if known is not None else ""
        return self.chance.one(member, self._subject(owner)) if owner else member

    def _orders_of(self, member: str) -> list[str]:
        return sorted(order_id for order_id, (owner, _) in self.sold.items() if owner == member)

    @precondition(lambda self: any(self._referred()))
    @rule()
    def a_referral_changes(self) -> None:
        """What happens to an order that a referral waits for or is rewarded by."""
        self._wait()
        if not (those := [*self._referred()]):  # on its way to another member since
            return
        member, order_id = self.chance.among(those)
        member = self._subject(self.chance.one(member, self.sold[order_id][0]))
        sold = self.sold[order_id][1]
        back = tuple(RefundLine(line_id=line.line_id, amount=line.subtotal, quantity=9) for line in sold["lines"])
        content: FactData = self.chance.either(
            lambda: OrderCancelled(order_id=order_id),
            lambda: OrderPaid(**sold),
            lambda: OrderPaid(**sold),
            lambda: OrderFulfilled(order_id=order_id),
            lambda: OrderRefunded(order_id=order_id, refund_id="r5", lines=self.chance.one(back, back[:1])),
        )
        self._send(member, content)

    def _referred(self) -> Iterator[tuple[str, str]]:
        """Orders by which referrals were asked for, each with who it belongs to."""
        for name, member in sorted(self.model.members.items()):
            for referral in member.referrals.values():
                if referral.asked.version and referral.named in self.sold:
                    yield name, referral.named

    def teardown(self) -> None:
        """All messages arrive; then nothing is under way that could still change anything."""
        self.all_arrive()
