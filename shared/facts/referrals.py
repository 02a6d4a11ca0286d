"""Referrals as values: what platforms and operators tell of one member bringing another.

The subject of all but a click is the referee, the member who was brought.
"""

from __future__ import annotations

import msgspec

from shared.facts.values import Flags, Id


class ReferralClicked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.referral.clicked.v1`: somebody followed the referrer's link; the subject is the referrer."""

    referral_id: Id


class ReferralJoined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.referral.joined.v1`: somebody who followed a link signed up."""

    referral_id: Id
    referrer_id: Id


class ReferralCompleted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.referral.completed.v1`: the referee placed the order that counts; signals of what looks wrong."""

    referral_id: Id
    referrer_id: Id
    order_id: Id
    signals: Flags = {}


class ReferralVoided(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`commerce.referral.voided.v1`: it doesn't count."""

    referral_id: Id


class ReferralUnblock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.referral.unblock.v1`: a person has looked: whatever blocked it doesn't."""

    referral_id: Id
