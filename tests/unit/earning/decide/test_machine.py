"""The core against the naive model: random programs, random facts, compared after every step.

Messages between members arrive later, up to a day, those of one member to another in their order, as in the inbox.
Merged accounts are compared like all others; accounts are merged only where no years of membership count, which are
others after a merge.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import initialize, precondition, rule

from services.earning.program.terms import Versions
from services.earning.source_events.facts import Fact
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.facts.fact import FactData
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import MemberClosed, MemberEnrolled, MemberUpdated, TierAssigned
from shared.facts.orders import OrderCancelled, OrderFulfilled, OrderPaid, OrderRefunded, OrderUpdated, Refund
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from shared.facts.values import Status
from tests.support.model import beyond_orders, order_facts
from tests.support.model.chance import Chance, chances
from tests.support.model.core import Core
from tests.support.model.facts import START, earlier, fact, later, line, order, refund
from tests.support.model.naive import SETTLE, Naive
from tests.support.model.programs import SEGMENTS, TIERS, program_versions
from tests.support.model.programs_of_members import may_merge, of_members
from tests.support.model.shorten import Step, apply, report
from tests.unit.earning.decide.machine_activities import ActivitySteps
from tests.unit.earning.decide.machine_members import MembersTouchMembers

RANKS = beyond_orders.RANKS | order_facts.RANKS
EXAMPLES = int(os.environ.get("TALLYSTICK_EXAMPLES", "40"))
pytestmark = pytest.mark.timeout(0 if "TALLYSTICK_EXAMPLES" in os.environ else 180)
ORDERS_MAX = 6
MEMBERS = ("ann", "bob", "cat")
BATCHES = (("b1", "ann"), ("b2", "bob"), ("b3", "ann"))


class CoreAgainstModel(ActivitySteps, MembersTouchMembers):
    """Every fact goes to both; nothing may differ."""

    versions: Versions

    @initialize(chance=chances())
    def begin(self, chance: Chance) -> None:
        self.chance = chance
        self.versions = of_members(chance, program_versions(chance))
        self.zone = self.versions.all[0].zone
        self.merges = may_merge(self.versions)
        self.core, self.model = Core(self.versions), Naive(self.versions)
        self.now = self.quiet_at = START
        self.steps: list[Step] = []
        self.sent: list[Fact] = []
        self.held: list[Fact] = []
        self.sold: dict[str, tuple[str, dict[str, Any]]] = {}
        self.redeemed: dict[str, str] = {}
        self.spots: set[tuple[object, ...]] = set()
        self.refunded: set[tuple[object, ...]] = set()

    def _send(self, member: str, content: FactData) -> None:
        """A new fact: delivered now, or held back for later."""
        occurred = earlier(self.chance, self.now, self.zone)
        placed = getattr(content, "placed_at", None)
        occurred = max(occurred, placed) if placed is not None else occurred
        ranked = hasattr(content, "refund_id") or type(content) in RANKS
        names = ("order_id", "refund_id", "revision", "review_id", "activity_id") if ranked else ()
        rank = RANKS.get(type(content), 9)
        refunds = bool(getattr(content, "refund_id", getattr(content, "refunds", None)))
        while True:
            spot = (rank, occurred, *(getattr(content, name, None) for name in names))
            told = (getattr(content, "order_id", None), occurred)  # of one time no refund is told twice
            if spot not in self.spots and not (refunds and told in self.refunded):
                break
            occurred += timedelta(microseconds=1)
        self.spots.add(spot)
        self.refunded |= {told} if refunds else set()
        made = fact(content, member, occurred, self.now, len(self.spots))
        if self.chance.once_in(6):
            self.held.append(made)
        else:
            self._deliver(made)

    def _deliver(self, given: Fact) -> None:
        given.received_at = self.now
        self.sent.append(given)
        self._step(Step(self.now, given))
        self.messages_arrive()

    def _step(self, step: Step) -> None:
        self.steps.append(step)
        try:
            found = apply(self.model, self.core, step)
        except Exception as error:
            raise AssertionError(report(self.versions, self.steps)) from error
        assert not found, report(self.versions, self.steps)

    def _wait(self) -> None:
        then = later(self.chance, self.now, self.zone)
        self.before_it_is(then)
        self.now = then

    def _pick(self) -> tuple[str, dict[str, Any], str]:
        order_id = self.chance.among(sorted(self.sold))
        member, sold = self.sold[order_id]
        return self._subject(member), sold, order_id

    @rule()
    def pays(self) -> None:
        self._wait()
        if len(self.sold) < ORDERS_MAX and (not self.sold or self.chance.once_in(2)):
            self._sell(self.chance.among(MEMBERS))
        else:
            member, sold, _ = self._pick()
            self._send(member, OrderPaid(**sold))

    def _sell(self, member: str) -> None:
        """A further order of a member, paid."""
        order_id = f"o{len(self.sold) + 1}"
        ago = self.chance.one(None, None, timedelta(hours=2), timedelta(days=420))
        placed = None if ago is None else self.now - ago
        sold = order(self.chance, order_id, self.versions.all[0].currency, placed)
        self.sold[order_id] = (member, sold)
        self._send(member, OrderPaid(**sold))

    @precondition(lambda self: self.sold)
    @rule()
    def refunds(self) -> None:
        self._wait()
        member, sold, order_id = self._pick()
        given = refund(self.chance, self.chance.one("r1", "r2", "r3"), OrderPaid(**sold))
        said = {name: getattr(given, name) for name in Refund.__struct_fields__}
        self._send(member, OrderRefunded(order_id=order_id, **said))

    @precondition(lambda self: self.sold)
    @rule()
    def updates(self) -> None:
        self._wait()
        member, sold, order_id = self._pick()
        if self.chance.once_in(2):
            sold = {**sold, "lines": tuple(line(self.chance, n) for n in range(1, 1 + self.chance.number(1, 4)))}
            self.sold[order_id] = (self.sold[order_id][0], sold)
        status: Status = self.chance.one("paid", "paid", *get_args(Status))
        some = self.chance.subset(("r1", "r2", "r4"), 0, 2)
        given = tuple(refund(self.chance, refund_id, OrderPaid(**sold)) for refund_id in some)
        revision = self.chance.number(0, 2)
        self._send(member, OrderUpdated(**sold, status=status, refunds=given, revision=revision))

    @precondition(lambda self: self.sold)
    @rule()
    def cancels_or_fulfils(self) -> None:
        self._wait()
        member, _, order_id = self._pick()
        cancels = self.chance.once_in(3)
        self._send(member, OrderCancelled(order_id=order_id) if cancels else OrderFulfilled(order_id=order_id))

    @precondition(lambda self: self.held)
    @rule()
    def arrives_late(self) -> None:
        self._wait()
        self._deliver(self.held.pop(self.chance.number(0, len(self.held) - 1)))

    @precondition(lambda self: self.sent)
    @rule()
    def is_redelivered(self) -> None:
        self._wait()
        again = self.chance.among(self.sent)
        self._deliver(Fact(**{name: getattr(again, name) for name in Fact.__struct_fields__}))

    @rule()
    def requests(self) -> None:
        self._wait()
        number = self.chance.number(0, 3) if self.chance.once_in(8) else len(self.redeemed)
        member = self.redeemed.setdefault(f"x{number}", self.chance.one("ann", *MEMBERS))
        there = self.model.members[member].account.available if member in self.model.members else 9
        reward = self.chance.one(None, None, None, "mug", "lounge", "car")
        some = self.chance.one(there, there // 2 + 1, there // 3 + 1, there + 1, 1, 0)
        points = None if reward else some
        self._send(member, RedemptionRequested(redemption_id=f"x{number}", points=points, reward=reward))

    @precondition(lambda self: self.redeemed)
    @rule()
    def cancels_redemption(self) -> None:
        self._wait()
        members = self.model.members.values()
        done = [key[2] for member in members for key, known in member.redemptions.items() if known.taken]
        name = self.chance.among(sorted(done or self.redeemed))
        points, cancel = self.chance.one(None, None, 1, 20), self.chance.one(None, "c1", "c2")
        self._send(
            self._subject(self.redeemed[name]), RedemptionCancelled(redemption_id=name, cancel_id=cancel, points=points)
        )

    @rule()
    def adjusts(self) -> None:
        self._wait()
        points = self.chance.number(1, 60) * self.chance.one(1, 1, -1)
        content = PointsAdjust(
            adjustment_id=f"a{len(self.spots)}",
            points=points,
            actor_id="me",
            reason="why",
            qualifying=self.chance.once_in(2),
            expires_at=self.chance.one(None, None, self.now + timedelta(days=9), self.now),
        )
        self._send(self.chance.among(MEMBERS), content)

    @rule()
    def imports(self) -> None:
        self._wait()
        batch, member = self.chance.among(BATCHES)
        content = BalanceImport(
            batch_id=batch,
            row=len(self.spots),
            points=self.chance.number(0, 60),
            lifetime_points=self.chance.one(None, 50),
            tier=self.chance.one(None, None, *TIERS),
            expires_at=self.chance.one(None, None, self.now + timedelta(days=40)),
        )
        back = ImportRevert(batch_id=batch, keep_spent=self.chance.once_in(2))
        self._send(member, back if self.chance.once_in(4) else content)

    @precondition(lambda self: any(self._expired()))
    @rule()
    def reinstates(self) -> None:
        self._wait()
        if not (those := [*self._expired()]):  # on its way to another member since
            return
        member, order_id, expired = self.chance.among(those)
        content = PointsReinstate(
            reinstate_id=f"i{len(self.spots) // 2}",
            award=order_id,
            points=self.chance.one(expired, expired, 1, expired // 2 + 1, expired + 1),
            reason="goodwill",
            expires_at=self.chance.one(None, None, self.now + timedelta(days=60), self.now),
        )
        self._send(member, content)

    def _expired(self) -> Iterator[tuple[str, str, int]]:
        """Awards with an expired part."""
        for name, member in self.model.members.items():
            for key in member.orders:
                if expired := sum(lot.expired for lot in member.account.of(key)):
                    yield name, key[2], expired

    @rule()
    def says_who_members_are(self) -> None:
        self._wait()
        some = tuple(self.chance.subset(SEGMENTS))
        content = self.chance.either(
            lambda: MemberEnrolled(segments=some),
            lambda: MemberUpdated(segments=self.chance.one(None, some), attributes={"city": "Ulm"}),
            self._tier_given,
            self._tier_given,
            lambda: MemberClosed() if self.chance.once_in(3) else MemberEnrolled(segments=some),
        )
        self._send(self.chance.among(MEMBERS), content)

    def _tier_given(self) -> TierAssigned:
        until = self.chance.one(None, *(self.now + timedelta(days=days) for days in (-1, 3, 40, 500)))
        if until is not None and self.chance.once_in(2):
            until = later(self.chance, until, self.zone)
        return TierAssigned(tier=self.chance.among(TIERS), until=until)

    @rule()
    def time_passes(self) -> None:
        self._wait()
        self._step(Step(self.now - SETTLE))


CoreAgainstModel.TestCase.settings = settings(
    max_examples=EXAMPLES,
    derandomize="TALLYSTICK_EXAMPLES" not in os.environ,  # the same every time, but for campaigns
    database=None,
    stateful_step_count=40,
    deadline=None,
    phases=(Phase.generate,),  # our own shortening tells more, sooner
    print_blob=False,
    verbosity=Verbosity.quiet,
    suppress_health_check=list(HealthCheck),
)
TestCoreAgainstModel = CoreAgainstModel.TestCase
