"""The lines of `tallystick try --json`: one struct a kind of line, told apart by its field `record`. A contract.

New fields may join; names and meanings stay. The reference page is made from here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True)]


class FactLine(Struct, kw_only=True, tag="fact", tag_field="record", omit_defaults=True):
    """What became of one input, in order of arrival.

    Of an input that can't be read there is no type, id, source, program, member and time.
    """

    line: Annotated[int, Meta(description="Line of the file, from 1.")]
    type: Annotated[str, Meta(description="CloudEvents type of the fact.")] = ""
    id: Annotated[str, Meta(description="CloudEvents id of the fact.")] = ""
    source: Annotated[str, Meta(description="The shop.")] = ""
    program: Annotated[str, Meta(description="The program.")] = ""
    member: Annotated[str, Meta(description="The member.")] = ""
    occurred_at: Annotated[Instant | None, Meta(description="When it happened, in UTC.")] = None
    received_at: Annotated[Instant | None, Meta(description="When it reached us, in UTC.")] = None
    outcome: Annotated[str, Meta(description="`applied`, `duplicate`, `rejected` or `dead_letter`.")]
    events: Annotated[
        list[dict[str, Any]],
        Meta(
            description="The point events it led to, in order: `type` and the data of docs/reference/point-events.md, "
            "without `shard`, `position` and `chain`, which the journal gives."
        ),
    ]
    reason: Annotated[str, Meta(description="Of a dead letter: its code, see docs/reference/reason-codes.md.")] = ""
    field: Annotated[str, Meta(description="Of a dead letter: the field at fault, where one is.")] = ""
    message: Annotated[str, Meta(description="Of a dead letter: what is wrong.")] = ""
    cure: Annotated[str, Meta(description="Of a dead letter: what to do, where something helps.")] = ""


class UntilLine(Struct, kw_only=True, tag="until", tag_field="record"):
    """With `--until`: what became due for a member after the last fact; none where nothing did."""

    program: Annotated[str, Meta(description="The program.")]
    member: Annotated[str, Meta(description="The member.")]
    events: Annotated[list[dict[str, Any]], Meta(description="The point events, as in `fact`.")]


class LotLine(Struct, kw_only=True):
    """A lot of a member."""

    lot: Annotated[int, Meta(description="Its number among the member's lots, from 1.")]
    kind: Annotated[str, Meta(description="What kind of thing made it: `order`, ….")]
    source: Annotated[str, Meta(description="The shop of that thing.")]
    id: Annotated[str, Meta(description="The id of that thing.")]
    points: Annotated[int, Meta(description="Points it began with.")]
    remaining: Annotated[int, Meta(description="Points that are left of it.")]
    earned_at: Annotated[Instant, Meta(description="When the fact behind it happened.")]
    available_at: Annotated[Instant | None, Meta(description="From when on it can be spent; null: pending.")]
    expires_at: Annotated[Instant | None, Meta(description="The first instant it can't be spent; null: never.")]


class MemberLine(Struct, kw_only=True, tag="member", tag_field="record"):
    """Where a member stands at the end."""

    program: Annotated[str, Meta(description="The program.")]
    member: Annotated[str, Meta(description="The member.")]
    available: Annotated[int, Meta(description="Points that can be spent.")]
    pending: Annotated[int, Meta(description="Points earned but not yet spendable.")]
    deficit: Annotated[int, Meta(description="Points owed.")]
    lifetime: Annotated[
        dict[str, int],
        Meta(description="Gross figures that only grow: `earned`, `reversed`, `redeemed`, `expired`, …."),
    ]
    tier: Annotated[str, Meta(description="The tier held; empty: the program has none.")]
    tier_until: Annotated[Instant | None, Meta(description="Until when it is held at least; null: no end is known.")]
    qualifying: Annotated[
        dict[str, int],
        Meta(description="Window's first day → what counts towards tiers: points, orders, or micros of money."),
    ]
    segments: Annotated[tuple[str, ...], Meta(description="Groups the member belongs to.")]
    joined_at: Annotated[Instant | None, Meta(description="When the member joined; null: not known.")]
    clock: Annotated[Instant, Meta(description="The member's stream time: what was due before it is done.")]
    lots: Annotated[list[LotLine], Meta(description="All lots, by number, those without points left too.")]


class CountsLine(Struct, kw_only=True, tag="counts", tag_field="record"):
    """How many inputs there were: applied + duplicate + rejected + dead_letter = input."""

    input: Annotated[int, Meta(description="Lines that were not empty.")]
    applied: Annotated[int, Meta(description="Facts that changed something.")]
    duplicate: Annotated[int, Meta(description="Facts that were known already.")]
    rejected: Annotated[int, Meta(description="Facts that were understood and refused by the rules.")]
    dead_letter: Annotated[int, Meta(description="Inputs that can't be read or decided.")]


class DifferenceLine(Struct, kw_only=True):
    """A figure that two runs end with differently; null in the one where it is not there."""

    program: Annotated[str, Meta(description="The program.")]
    member: Annotated[str, Meta(description="The member.")]
    figure: Annotated[
        str, Meta(description="`available`, `tier`, …, or a business key as `order shop/4711`: what it is worth.")
    ]
    first: Annotated[Any, Meta(description="In the first run.")]
    second: Annotated[Any, Meta(description="In the second run.")]


class ComparisonLine(Struct, kw_only=True, tag="comparison", tag_field="record"):
    """With `--duplicate` and `--shuffle`: whether a second run ended the same."""

    check: Annotated[str, Meta(description="`duplicate` or `shuffle`.")]
    seed: Annotated[int | None, Meta(description="Of a shuffle: its seed.")]
    same: Annotated[bool, Meta(description="Whether there are no `differences`.")]
    differences: Annotated[list[DifferenceLine], Meta(description="What must not differ, and does.")]
    first_come: Annotated[
        list[DifferenceLine],
        Meta(
            description="What may differ: tiers, first orders and versions are first come, first served, so an order "
            "that met another of them is worth something else."
        ),
    ]


Line = FactLine | UntilLine | MemberLine | CountsLine | ComparisonLine
