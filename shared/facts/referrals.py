"""Referrals as facts: what platforms and operators tell of one member bringing another.

The subject of all but a click is the referee, the member who was brought.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.facts.fact import FactData
from shared.facts.values import Flags, Id


class ReferralClicked(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody followed a member's link. The subject is the referrer, whose link it is."""

    TYPE = "commerce.referral.clicked.v1"
    TOPIC = "referrals"

    referral_id: Annotated[Id, Meta(description="The referral's id; a click of it is counted once.", examples=["rf-1"])]


class ReferralJoined(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who was referred signed up. The subject is the referee, who did."""

    TYPE = "commerce.referral.joined.v1"
    TOPIC = "referrals"

    referral_id: Annotated[Id, Meta(description="The referral's id in its shop; with `source` its business key.")]
    referrer_id: Annotated[Id, Meta(description="The member who referred them.")]


class ReferralCompleted(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """The referee placed the order for which both may be rewarded. The subject is the referee."""

    TYPE = "commerce.referral.completed.v1"
    TOPIC = "referrals"

    referral_id: Annotated[Id, Meta(description="The referral's id in its shop; with `source` its business key.")]
    referrer_id: Annotated[Id, Meta(description="The member who referred them.")]
    order_id: Annotated[Id, Meta(description="The referee's order. It may arrive later.")]
    signals: Annotated[
        Flags,
        Meta(
            description="What the shop noticed: `same_ip`, `same_device`, `same_payment`; the program says what blocks."
        ),
    ] = msgspec.field(default_factory=dict)


class ReferralVoided(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A referral does not count. The subject is the referee."""

    TYPE = "commerce.referral.voided.v1"
    TOPIC = "referrals"

    referral_id: Annotated[Id, Meta(description="The referral voided. Its completion may arrive later.")]


class ReferralUnblock(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A person has looked at a blocked referral: it counts. The subject is the referee."""

    TYPE = "loyalty.referral.unblock.v1"
    TOPIC = "commands"

    referral_id: Annotated[Id, Meta(description="The referral to be unblocked.")]
