"""The core against the naive model: random programs, random facts, compared after every step."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from services.earning.program.terms import Versions
from services.earning.source_events.commands import (
    BalanceImport,
    ImportRevert,
    PointsAdjust,
    RedemptionCancelled,
    RedemptionRequested,
)
from services.earning.source_events.facts import (
    Fact,
    FactData,
    MemberEnrolled,
    OrderCancelled,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    OrderUpdated,
    Refund,
)
from services.earning.source_events.kinds import Status
from tests.model.core import Core
from tests.model.facts import START, earlier, fact, later, lines, orders, refunds
from tests.model.naive import Naive
from tests.model.order_facts import RANKS
from tests.model.programs import BEGINNING, SEGMENTS, program_versions
from tests.model.shorten import Step, apply, report

EXAMPLES = int(os.environ.get("TALLYSTICK_EXAMPLES", "60"))
pytestmark = pytest.mark.timeout(0 if "TALLYSTICK_EXAMPLES" in os.environ else 120)
ORDERS_MAX = 5


class CoreAgainstModel(RuleBasedStateMachine):
    """Every fact goes to both; nothing may differ."""

    versions: Versions

    @initialize(versions=program_versions())
    def begin(self, versions: Versions) -> None:
        self.versions = versions
        self.zone = versions.all[0].zone
        self.core, self.model = Core(versions), Naive(versions)
        self.now = START
        self.steps: list[Step] = []
        self.sent: list[Fact] = []
        self.held: list[Fact] = []
        self.sold: dict[str, tuple[str, dict[str, Any]]] = {}
        self.redeemed: dict[str, str] = {}
        self.given = 0
        self.reverted: set[str] = set()
        self.spots: set[tuple[object, ...]] = set()
        for member in ("ann", "bob"):  # anniversaries count from a day that is known from the beginning
            self._deliver(fact(MemberEnrolled(), member, START, START, 0))

    def _send(self, data: st.DataObject, member: str, content: FactData) -> None:
        """A new fact: delivered now, or held back for later."""
        occurred = data.draw(earlier(self.now, self.zone), label="occurred_at")
        placed = getattr(content, "placed_at", None)
        occurred = max(occurred, placed) if placed is not None else occurred
        if type(content) not in RANKS:
            occurred = max(occurred, BEGINNING)
        names = ("order_id", "refund_id", "revision")
        while True:
            spot = (RANKS.get(type(content), 9), member, occurred, *(getattr(content, name, None) for name in names))
            if spot not in self.spots:
                break
            occurred += timedelta(microseconds=1)
        self.spots.add(spot)
        made = fact(content, member, occurred, self.now, len(self.spots))
        if data.draw(st.integers(0, 5), label="hold back") == 5:
            self.held.append(made)
        else:
            self._deliver(made)

    def _deliver(self, given: Fact) -> None:
        given.received_at = self.now
        self.sent.append(given)
        self._step(Step(self.now, given))

    def _step(self, step: Step) -> None:
        self.steps.append(step)
        try:
            found = apply(self.model, self.core, step)
        except Exception as error:
            raise AssertionError(report(self.versions, self.steps)) from error
        assert not found, report(self.versions, self.steps)

    def _wait(self, data: st.DataObject) -> None:
        self.now = data.draw(later(self.now, self.zone), label="now")

    @rule(data=st.data())
    def pays(self, data: st.DataObject) -> None:
        self._wait(data)
        if len(self.sold) < ORDERS_MAX and (not self.sold or data.draw(st.booleans(), label="new order")):
            order_id, member = f"o{len(self.sold) + 1}", data.draw(st.sampled_from(("ann", "ann", "bob")))
            ago = data.draw(st.sampled_from((None, None, timedelta(hours=2), timedelta(days=420))), label="placed ago")
            placed = None if ago is None else self.now - ago
            self.sold[order_id] = (member, data.draw(orders(order_id, self.versions.all[0].currency, placed)))
        else:
            order_id = data.draw(st.sampled_from(sorted(self.sold)))
            member = self.sold[order_id][0]
        self._send(data, member, OrderPaid(**self.sold[order_id][1]))

    @precondition(lambda self: self.sold)
    @rule(data=st.data())
    def refunds(self, data: st.DataObject) -> None:
        self._wait(data)
        member, order, order_id = self._pick(data)
        refund = data.draw(refunds(data.draw(st.sampled_from(("r1", "r2", "r3"))), OrderPaid(**order)))
        said = {name: getattr(refund, name) for name in Refund.__struct_fields__}
        self._send(data, member, OrderRefunded(order_id=order_id, **said))

    @precondition(lambda self: self.sold)
    @rule(data=st.data())
    def updates(self, data: st.DataObject) -> None:
        self._wait(data)
        member, order, order_id = self._pick(data)
        if data.draw(st.booleans(), label="other lines"):
            order = {**order, "lines": tuple(data.draw(lines(n)) for n in range(1, 1 + data.draw(st.integers(1, 4))))}
            self.sold[order_id] = (member, order)
        status: Status = data.draw(st.sampled_from(get_args(Status)))
        some = data.draw(st.lists(st.sampled_from(("r1", "r2", "r4")), unique=True, max_size=2))
        given = tuple(data.draw(refunds(refund_id, OrderPaid(**order))) for refund_id in some)
        revision = data.draw(st.integers(0, 2))
        self._send(data, member, OrderUpdated(**order, status=status, refunds=given, revision=revision))

    @precondition(lambda self: self.sold)
    @rule(data=st.data())
    def cancels(self, data: st.DataObject) -> None:
        self._wait(data)
        member, _, order_id = self._pick(data)
        self._send(data, member, OrderCancelled(order_id=order_id))

    @precondition(lambda self: self.sold)
    @rule(data=st.data())
    def fulfils(self, data: st.DataObject) -> None:
        self._wait(data)
        member, _, order_id = self._pick(data)
        self._send(data, member, OrderFulfilled(order_id=order_id))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def arrives_late(self, data: st.DataObject) -> None:
        self._wait(data)
        self._deliver(self.held.pop(data.draw(st.integers(0, len(self.held) - 1))))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def is_redelivered(self, data: st.DataObject) -> None:
        self._wait(data)
        again = data.draw(st.sampled_from(range(len(self.sent))))
        self._deliver(Fact(**{name: getattr(self.sent[again], name) for name in Fact.__struct_fields__}))

    @rule(data=st.data(), segments=st.lists(st.sampled_from(SEGMENTS), unique=True))
    def enrols(self, data: st.DataObject, segments: list[str]) -> None:
        self._wait(data)
        member = data.draw(st.sampled_from(("ann", "bob")))
        self._send(data, member, MemberEnrolled(segments=tuple(segments)))

    @rule(data=st.data(), reward=st.sampled_from((None, None, None, "mug", "lounge", "car")))
    def requests(self, data: st.DataObject, reward: str | None) -> None:
        self._wait(data)
        member = data.draw(st.sampled_from(("ann", "ann", "bob")))
        known = data.draw(st.integers(0, 7), label="known id") == 7
        number = data.draw(st.integers(0, 3)) if known else len(self.redeemed)
        member = self.redeemed.setdefault(f"x{number}", member)
        there = self.model.members[member].account.available
        some = data.draw(st.sampled_from((there, there // 2 + 1, there // 3 + 1, there + 1, 1, 0)), label="points")
        points = None if reward else some
        self._send(data, member, RedemptionRequested(redemption_id=f"x{number}", points=points, reward=reward))

    @precondition(lambda self: self.redeemed)
    @rule(data=st.data(), points=st.sampled_from((None, None, 1, 20)), cancel=st.sampled_from((None, "c1", "c2")))
    def cancels_redemption(self, data: st.DataObject, points: int | None, cancel: str | None) -> None:
        self._wait(data)
        members = self.model.members.values()
        done = [key[2] for member in members for key, known in member.redemptions.items() if known.taken]
        name = data.draw(st.sampled_from(sorted(done or self.redeemed)))
        content = RedemptionCancelled(redemption_id=name, cancel_id=cancel, points=points)
        self._send(data, self.redeemed[name], content)

    @rule(data=st.data(), points=st.integers(-60, 60).filter(bool), qualifying=st.booleans())
    def adjusts(self, data: st.DataObject, points: int, qualifying: bool) -> None:  # noqa: FBT001 (hypothesis gives it)
        self._wait(data)
        self.given += 1
        content = PointsAdjust(
            adjustment_id=f"a{self.given}",
            points=points,
            actor_id="me",
            reason="why",
            qualifying=qualifying,
            expires_at=data.draw(st.sampled_from((None, None, self.now + timedelta(days=9), self.now))),
        )
        self._send(data, data.draw(st.sampled_from(("ann", "bob"))), content)

    @rule(data=st.data(), points=st.integers(0, 60), lifetime=st.sampled_from((None, 50)))
    def imports(self, data: st.DataObject, points: int, lifetime: int | None) -> None:
        self._wait(data)
        self.given += 1
        batch, member = data.draw(st.sampled_from((("b1", "ann"), ("b2", "bob"))))
        content = BalanceImport(batch_id=batch, row=self.given, points=points, lifetime_points=lifetime)
        self._send(data, member, content)

    @rule(data=st.data(), keep_spent=st.booleans())
    def reverts(self, data: st.DataObject, keep_spent: bool) -> None:  # noqa: FBT001 (hypothesis gives it)
        self._wait(data)
        batch, member = data.draw(st.sampled_from((("b1", "ann"), ("b2", "bob"))))
        if batch in self.reverted:
            return
        self.reverted.add(batch)
        self._send(data, member, ImportRevert(batch_id=batch, keep_spent=keep_spent))

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        self._wait(data)
        self._step(Step(self.now))

    def _pick(self, data: st.DataObject) -> tuple[str, dict[str, Any], str]:
        order_id = data.draw(st.sampled_from(sorted(self.sold)), label="order")
        member, order = self.sold[order_id]
        return member, order, order_id


CoreAgainstModel.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    phases=(Phase.generate,),  # our own shortening tells more, sooner
    print_blob=False,
    verbosity=Verbosity.quiet,
    suppress_health_check=list(HealthCheck),
)
TestCoreAgainstModel = CoreAgainstModel.TestCase
