"""The contract of referrals: clicked, joined, completed, voided; unblocked by a person."""

from __future__ import annotations

from pydantic import Field

from services.earning.source_events.contract.fields import Contract, Flags, Id


class ReferralClicked(Contract):
    """Somebody followed a member's link. The subject is the referrer, whose link it is."""

    referral_id: Id = Field(description="The referral's id; a click of it is counted once.", examples=["rf-1"])


class ReferralJoined(Contract):
    """Somebody who was referred signed up. The subject is the referee, who did."""

    referral_id: Id = Field(description="The referral's id in its shop; with `source` its business key.")
    referrer_id: Id = Field(description="The member who referred them.")


class ReferralCompleted(Contract):
    """The referee placed the order for which both may be rewarded. The subject is the referee."""

    referral_id: Id = Field(description="The referral's id in its shop; with `source` its business key.")
    referrer_id: Id = Field(description="The member who referred them.")
    order_id: Id = Field(description="The referee's order. It may arrive later.")
    signals: Flags = Field(
        default_factory=dict,
        description="What the shop noticed: `same_ip`, `same_device`, `same_payment`; the program says what blocks.",
    )


class ReferralVoided(Contract):
    """A referral does not count. The subject is the referee."""

    referral_id: Id = Field(description="The referral voided. Its completion may arrive later.")


class ReferralUnblock(Contract):
    """A person has looked at a blocked referral: it counts. The subject is the referee."""

    referral_id: Id = Field(description="The referral to be unblocked.")
