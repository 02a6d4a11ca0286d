"""Members as facts: who enrols, changes, is claimed, is given a tier, or leaves."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.facts.fact import FactData
from shared.facts.values import Id, Ids, Instant, Labels, Name


class MemberEnrolled(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A customer joined the program."""

    TYPE = "loyalty.member.enrolled.v1"
    TOPIC = "commands"

    segments: Annotated[Ids, Meta(description="Groups the member belongs to; rules can ask for them.")] = ()
    joined_at: Annotated[Instant | None, Meta(description="When they joined, if not at the event's time.")] = None
    attributes: Annotated[Labels, Meta(description="Further properties; no personal data.")] = msgspec.field(
        default_factory=dict
    )


class MemberUpdated(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a member changed. What is left out stays as it was."""

    TYPE = "loyalty.member.updated.v1"
    TOPIC = "commands"

    segments: Annotated[Ids | None, Meta(description="All groups the member belongs to from now on.")] = None
    attributes: Annotated[Labels | None, Meta(description="All further properties from now on; no personal data.")] = (
        None
    )


class MemberClaimed(FactData, frozen=True, kw_only=True, omit_defaults=True, rename={"guest": "from"}):
    """Another id is this member, too: a guest who enrolled, or a second account. All it has moves here, for ever."""

    TYPE = "loyalty.member.claimed.v1"
    TOPIC = "commands"

    guest: Annotated[
        Name, Meta(description="The id that is claimed; facts under it count for the subject from now on.")
    ]


class MemberClosed(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A membership ended: all its points expire."""

    TYPE = "loyalty.member.closed.v1"
    TOPIC = "commands"


class TierAssigned(FactData, frozen=True, kw_only=True, omit_defaults=True):
    """A person gives a member a tier."""

    TYPE = "loyalty.tier.assigned.v1"
    TOPIC = "commands"

    tier: Annotated[Id, Meta(description="The tier's id in the program document.", examples=["gold"])]
    until: Annotated[
        Instant | None, Meta(description="Held at least until then; else to the end of the next window.")
    ] = None
