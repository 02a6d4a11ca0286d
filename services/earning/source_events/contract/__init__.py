"""The published contract of facts: pydantic models, from which JSON Schemas and the reference pages are made.

They refuse and accept exactly what the hot path's structs do (`services.earning.source_events.facts`),
as a test proves. The hot path asks them only about a fact that it refused:
to say what is wrong, and where.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, create_model

from services.earning.source_events.contract.activities import (
    ActivityRecorded,
    ActivityWithdrawn,
    ReviewPublished,
    ReviewRemoved,
    ReviewUpdated,
)
from services.earning.source_events.contract.commands import (
    BalanceImport,
    ImportRevert,
    PointsAdjust,
    PointsReinstate,
    RedemptionCancelled,
    RedemptionRequested,
    TierAssigned,
)
from services.earning.source_events.contract.fields import Contract, Envelope
from services.earning.source_events.contract.members import MemberClaimed, MemberClosed, MemberEnrolled, MemberUpdated
from services.earning.source_events.contract.orders import (
    OrderCancelled,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    OrderUpdated,
)
from services.earning.source_events.contract.referrals import (
    ReferralClicked,
    ReferralCompleted,
    ReferralJoined,
    ReferralUnblock,
    ReferralVoided,
)
from services.earning.source_events.facts import FACT_TYPES

_MODELS: dict[str, type[Contract]] = {
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

CONTRACTS: dict[str, type[Contract]] = {fact_type: _MODELS[fact_type] for fact_type in FACT_TYPES}
"""CloudEvents type → the contract of its data; those of all types that earning takes."""


def _envelope(fact_type: str, data: type[Contract]) -> type[Envelope[Any]]:
    # The class is known only at run time, which type checkers can't follow.
    generic: Any = Envelope
    create: Any = create_model
    kind: Any = Literal[fact_type]
    model: type[Envelope[Any]] = create(
        f"{data.__name__}Event",
        __base__=generic[data],
        __doc__=data.__doc__,
        type=(kind, Field(description="What happened, and the version of this contract.")),
    )
    return model


ENVELOPES: dict[str, type[Envelope[Any]]] = {
    fact_type: _envelope(fact_type, data) for fact_type, data in CONTRACTS.items()
}
"""CloudEvents type → the contract of its whole envelope, data included."""
