"""Messages: what a decision about one member means for another. They are facts that only earning writes.

They never come by Kafka: the codec does not know their types.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class ReferralAsked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To the referrer: whether a referral qualifies now, and how long its points wait. Of several the highest counts.

    `when` is the time of the referee's order: it chooses version, tier and window. Points wait until `release_at`;
    `waits` without a date: for a fulfilment. `unblocked`: no limit counts.
    """

    referral_id: str
    referee: str
    version: int
    qualifies: bool
    order_id: str
    when: datetime
    unblocked: bool = False
    waits: bool = False
    release_at: datetime | None = None


class ReferralAnswered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To the referee: whether the referrer was rewarded, or why not, by the version of the question."""

    referral_id: str
    version: int
    blocked: str = ""


MessageData = ReferralAsked | ReferralAnswered

MESSAGE_TYPES: dict[str, type[MessageData]] = {
    "tallystick.referral.asked.v1": ReferralAsked,
    "tallystick.referral.answered.v1": ReferralAnswered,
}
"""Type → the class of its data."""
