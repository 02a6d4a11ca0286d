"""Facts as values: what a commerce platform told us, decoded and checked; money stays decimal text (`shared.money`).

The structs are the hot path's mirror of the published contract in `services.earning.source_events.contract`; a test
proves that both accept and refuse the same inputs. Encoding a struct gives the canonical fact: known fields only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from services.earning.source_events.activities import (
    ActivityRecorded,
    ActivityWithdrawn,
    ReviewPublished,
    ReviewRemoved,
    ReviewUpdated,
)
from services.earning.source_events.commands import (
    BalanceImport,
    ImportRevert,
    MemberClaimed,
    MemberClosed,
    MemberUpdated,
    PointsAdjust,
    PointsReinstate,
    RedemptionCancelled,
    RedemptionRequested,
    TierAssigned,
)
from services.earning.source_events.kinds import (
    LINES_MAX,
    Id,
    Ids,
    Instant,
    Labels,
    Money,
    Quantity,
    Revision,
    Status,
    Tender,
)
from services.earning.source_events.messages import MESSAGE_TYPES, MessageData
from services.earning.source_events.referrals import (
    ReferralClicked,
    ReferralCompleted,
    ReferralJoined,
    ReferralUnblock,
    ReferralVoided,
)
from shared.point_events import Cause, EventData


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line as sold: `subtotal` for the whole quantity before discounts, `discount` the line's own."""

    line_id: Id
    sku: Id
    quantity: Quantity
    subtotal: Money
    discount: Money = "0"
    tax: Money = "0"
    product_id: Id | None = None
    categories: Ids = ()
    gift_card: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as sold, before refunds (`paid` and `updated` share it)."""

    order_id: Id
    currency: str
    lines: Annotated[tuple[OrderLine, ...], Meta(max_length=LINES_MAX)]
    discount: Money = "0"
    shipping: Money = "0"
    shipping_tax: Money = "0"
    prices_include_tax: bool = False
    points_payment: Money = "0"
    channel: Id | None = None
    store: Id | None = None
    exchange_rate: Money | None = None
    redemptions: Ids = ()
    placed_at: Instant | None = None
    revision: Revision = 0
    test: bool = False


class OrderPaid(Order, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.paid.v1`."""


class RefundLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back for one line: `amount` after all discounts, tax as in the order."""

    line_id: Id
    amount: Money
    quantity: Quantity | None = None
    tax: Money = "0"


class Refund(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refund, inside an update or as a fact of its own; `time` is that of the fact where it names none."""

    refund_id: Id
    lines: Annotated[tuple[RefundLine, ...], Meta(max_length=LINES_MAX)] = ()
    amount: Money | None = None
    shipping: Money = "0"
    tender: Tender = "cash"


class OrderRefunded(Refund, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.refunded.v1`."""

    order_id: Id


class OrderUpdated(Order, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.updated.v1`: the whole present state, as sold, with status and refunds."""

    status: Status
    refunds: Annotated[tuple[Refund, ...], Meta(max_length=LINES_MAX)] = ()


class OrderCancelled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.cancelled.v1`."""

    order_id: Id
    revision: Revision = 0


class OrderFulfilled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.order.fulfilled.v1`."""

    order_id: Id
    revision: Revision = 0


class MemberEnrolled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.member.enrolled.v1`."""

    segments: Ids = ()
    joined_at: Instant | None = None
    attributes: Labels = {}


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
