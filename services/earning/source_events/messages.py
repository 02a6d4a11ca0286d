"""Messages: what a decision about one member means for another. They are facts that only earning writes.

They never come by Kafka: the codec does not know their types.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from services.earning.source_events.handover import ClaimGiven
from services.earning.source_events.handover_v1 import ClaimGivenV1


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


class ClaimAsked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To a member who is claimed: hand over all you have."""

    by: str


class ClaimRefused(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To the one who claims: that member is somebody else's already, or is just claiming others."""

    guest: str


MessageData = ReferralAsked | ReferralAnswered | ClaimAsked | ClaimRefused | ClaimGiven | ClaimGivenV1

MESSAGE_TYPES: dict[str, type[MessageData]] = {
    "tallystick.referral.asked.v1": ReferralAsked,
    "tallystick.referral.answered.v1": ReferralAnswered,
    "tallystick.claim.asked.v1": ClaimAsked,
    "tallystick.claim.refused.v1": ClaimRefused,
    "tallystick.claim.given.v1": ClaimGivenV1,
    "tallystick.claim.given.v2": ClaimGiven,
}
"""Type → the class of its data. They are told in the log, so one that was ever written is read for ever."""
