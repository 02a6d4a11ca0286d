"""Members as facts: who enrols, changes, is claimed, is given a tier, or leaves."""

from __future__ import annotations

import msgspec

from shared.facts.values import Id, Ids, Instant, Labels


class MemberEnrolled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.member.enrolled.v1`."""

    segments: Ids = ()
    joined_at: Instant | None = None
    attributes: Labels = {}


class MemberUpdated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.member.updated.v1`: what is given replaces what was known; what is left out stays."""

    segments: Ids | None = None
    attributes: Labels | None = None


class MemberClaimed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"guest": "from"}):
    """`loyalty.member.claimed.v1`: another id (a guest's, a second account's) is the subject, too, from now on."""

    guest: Id


class MemberClosed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.member.closed.v1`: the membership ends."""


class TierAssigned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`loyalty.tier.assigned.v1`: a person gives a tier, until an instant or the end of the next window."""

    tier: Id
    until: Instant | None = None
