"""Facts as values: what a commerce platform told us, decoded and checked; money stays decimal text (`shared.money`).

The structs are the hot path's mirror of the published contract in `services.earning.source_events.contract`; a test
proves that both accept and refuse the same inputs. Encoding a struct gives the canonical fact: known fields only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from services.earning.source_events.messages import MESSAGE_TYPES, MessageData
from shared.facts.activities import ActivityRecorded, ActivityWithdrawn
from shared.facts.adjustments import PointsAdjust, PointsReinstate
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.members import MemberClaimed, MemberClosed, MemberEnrolled, MemberUpdated, TierAssigned
from shared.facts.orders import OrderCancelled, OrderFulfilled, OrderPaid, OrderRefunded, OrderUpdated
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from shared.facts.referrals import ReferralClicked, ReferralCompleted, ReferralJoined, ReferralUnblock, ReferralVoided
from shared.facts.reviews import ReviewPublished, ReviewRemoved, ReviewUpdated
from shared.point_events import Cause, EventData

FactData = (
    OrderPaid
    | OrderRefunded
    | OrderUpdated
    | OrderCancelled
    | OrderFulfilled
    | ReviewPublished
    | ReviewUpdated
    | ReviewRemoved
    | ActivityRecorded
    | ActivityWithdrawn
    | ReferralClicked
    | ReferralJoined
    | ReferralCompleted
    | ReferralVoided
    | MemberEnrolled
    | MemberUpdated
    | MemberClaimed
    | MemberClosed
    | RedemptionRequested
    | RedemptionCancelled
    | PointsAdjust
    | PointsReinstate
    | BalanceImport
    | ImportRevert
    | TierAssigned
    | ReferralUnblock
)

FACT_TYPES: dict[str, type[FactData]] = {
    "commerce.order.paid.v1": OrderPaid,
    "commerce.order.updated.v1": OrderUpdated,
    "commerce.order.refunded.v1": OrderRefunded,
    "commerce.order.cancelled.v1": OrderCancelled,
    "commerce.order.fulfilled.v1": OrderFulfilled,
    "commerce.review.published.v1": ReviewPublished,
    "commerce.review.updated.v1": ReviewUpdated,
    "commerce.review.removed.v1": ReviewRemoved,
    "commerce.activity.recorded.v1": ActivityRecorded,
    "commerce.activity.withdrawn.v1": ActivityWithdrawn,
    "commerce.referral.clicked.v1": ReferralClicked,
    "commerce.referral.joined.v1": ReferralJoined,
    "commerce.referral.completed.v1": ReferralCompleted,
    "commerce.referral.voided.v1": ReferralVoided,
    "loyalty.member.enrolled.v1": MemberEnrolled,
    "loyalty.member.updated.v1": MemberUpdated,
    "loyalty.member.claimed.v1": MemberClaimed,
    "loyalty.member.closed.v1": MemberClosed,
    "loyalty.redemption.requested.v1": RedemptionRequested,
    "loyalty.redemption.cancelled.v1": RedemptionCancelled,
    "loyalty.points.adjust.v1": PointsAdjust,
    "loyalty.points.reinstate.v1": PointsReinstate,
    "loyalty.balance.import.v1": BalanceImport,
    "loyalty.import.revert.v1": ImportRevert,
    "loyalty.tier.assigned.v1": TierAssigned,
    "loyalty.referral.unblock.v1": ReferralUnblock,
}
"""CloudEvents type → the class of its data."""

_LOGGED: dict[str, type[FactData | MessageData]] = {**FACT_TYPES, **MESSAGE_TYPES}


class Fact(msgspec.Struct, kw_only=True):
    """One input, ready to decide: who, when it happened, when it reached us, and what.

    Times are aware and in UTC; `occurred_at` is the publisher's, `received_at` the Kafka record's timestamp.
    """

    type: str
    id: str
    source: str
    program: str
    member: str
    occurred_at: datetime
    received_at: datetime
    data: FactData | MessageData
    topic: str = ""
    partition: int = -1
    offset: int = -1

    @property
    def cause(self) -> Cause:
        """Where this fact came from, as its point events tell it."""
        return Cause(self.type, self.source, self.id, self.topic, self.partition, self.offset)


class LoggedFact(msgspec.Struct, frozen=True, kw_only=True):
    """The canonical fact, as the first event of its decision carries it: enough to decide again from the log alone.

    The event says the rest: program, member, decided_at, and where the record lay (its cause).
    """

    type: str
    id: str
    source: str
    occurred_at: datetime
    received_at: datetime
    data: FactData | MessageData

    @classmethod
    def of(cls, fact: Fact) -> LoggedFact:
        """What the log keeps of a fact."""
        return cls(
            type=fact.type,
            id=fact.id,
            source=fact.source,
            occurred_at=fact.occurred_at,
            received_at=fact.received_at,
            data=fact.data,
        )


def fact_of(event: EventData) -> Fact:
    """The fact that the first event it caused carries, made whole again; for deciding the log anew.

    Raises:
        ValueError: the event carries none: it is not the first of its decision, or nothing but time caused it.
    """
    if event.fact is None:
        raise ValueError(f"event {event.sequence} of {event.member!r} carries no fact")
    kept = event.fact if isinstance(event.fact, dict) else msgspec.to_builtins(event.fact)
    return restored_fact(kept, event.program, event.member, event.cause)


def restored_fact(kept: dict[str, Any], program: str, member: str, cause: Cause | None = None) -> Fact:
    """A fact as it was kept (`LoggedFact` as plain values), made whole again.

    Raises:
        KeyError, msgspec.ValidationError: it was not kept so.
    """
    return Fact(
        type=kept["type"],
        id=kept["id"],
        source=kept["source"],
        program=program,
        member=member,
        occurred_at=msgspec.convert(kept["occurred_at"], datetime),
        received_at=msgspec.convert(kept["received_at"], datetime),
        data=msgspec.convert(kept["data"], _LOGGED[kept["type"]]),
        topic=cause.topic if cause is not None else "",
        partition=cause.partition if cause is not None else -1,
        offset=cause.offset if cause is not None else -1,
    )
