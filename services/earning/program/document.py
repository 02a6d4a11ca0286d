"""The document of a program: what a merchant writes, field by field.

The JSON Schema and the reference page are made from here.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.earning.program.expressions import LENGTH_MAX
from services.earning.program.values import Currency, Hours, Instant, Money, Name, Rate, Text, Zone

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

POINTS_MAX = 1_000_000_000
"""The most points a single entry can name."""

ENTRIES_MAX = 200
"""The most rules, campaigns or levels of a program."""

DAYS_MAX = 366
"""The most days that points wait, or that a tier is held beyond its window."""

MONTHS_MAX = 1_200
"""The most months of a life or a window: a century."""

REWARDS_MAX = 1_000
"""The most rewards of a program's catalogue."""

Points = Annotated[int, Field(ge=1, le=POINTS_MAX)]
Months = Annotated[int, Field(ge=1, le=MONTHS_MAX)]
Words = Annotated[list[Text], Field(min_length=1, max_length=1000)]


class Part(BaseModel):
    """A part of the document: nothing unknown, nothing converted, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Basis(Part):
    """What of an order's money earns points."""

    after_discounts: bool = Field(default=True, description="Count lines after their discounts; `false`: before.")
    tax: bool = Field(default=False, description="Count tax.")
    shipping: bool = Field(default=False, description="Count shipping.")
    gift_cards: bool = Field(default=False, description="Count gift cards that are bought.")
    points_payment: bool = Field(default=False, description="Count the part that is paid with points.")
    store_credit_refunds: bool = Field(
        default=True, description="A refund to store credit takes points back like one in cash; `false`: it takes none."
    )


class Pending(Part):
    """How long an order's points wait before they can be spent."""

    after: Literal["paid", "fulfilled"] = Field(
        "paid", description="The days run from the payment, or from the fulfilment; until then the points wait anyway."
    )
    days: Annotated[int, Field(ge=0, le=DAYS_MAX)] = Field(
        0,
        description="Whole local days: paid on the 1st with 14 days, spendable as the 16th begins. "
        "0 after `fulfilled`: spendable at once when it is fulfilled.",
    )


class Caps(Part):
    """The most points that orders can give; what is above it is not earned. The windows are local ones."""

    order: Points | None = Field(None, description="For a single order.")
    day: Points | None = Field(None, description="For a member's orders of a day.")
    week: Points | None = Field(None, description="For a member's orders of an ISO week, Monday to Sunday.")
    month: Points | None = Field(None, description="For a member's orders of a calendar month.")


class Orders(Part):
    """How orders are awarded."""

    award: Literal["paid", "fulfilled"] = Field(
        "paid", description="An order earns once it is paid, or once it is fulfilled."
    )
    rounding: Literal["floor", "half_up", "half_even", "ceiling"] = Field(
        "floor", description="How a fraction of a point is rounded, once per order and rule."
    )
    stacking: Literal["sum", "best", "first"] = Field(
        "sum",
        description="Several rules on one line: all add up, the best counts, or the first by priority. "
        "Fixed points always add.",
    )
    multipliers: Literal["multiply", "highest"] = Field(
        "multiply", description="Several multipliers on one line: they multiply, or only the highest counts."
    )
    deficit: Literal["carry", "forgive"] = Field(
        "carry",
        description="A refund of points already spent: the member owes them to later points, or is forgiven.",
    )
    pending: Pending | None = Field(None, description="Points wait before they can be spent; left out: they don't.")
    caps: Caps = Field(Caps(), description="The most points that orders can give; left out: no limit.")


class Lines(Part):
    """Lines of an order, by what the shop says of them."""

    categories: Words = Field([], description="Lines in any of these categories.")
    skus: Words = Field([], description="Lines with any of these SKUs.")


class Circumstances(Part):
    """Who and when; all that is named must hold. Answered once, when it is first awarded."""

    tiers: Words = Field([], description="Members who hold any of these tiers.")
    segments: Words = Field([], description="Members in any of these segments.")
    weekdays: Annotated[list[Weekday], Field(min_length=1)] = Field([], description="On these days, local time.")
    hours: Annotated[list[Hours], Field(min_length=1)] = Field(
        [], description="In these spans of local hours; the end is not included."
    )
    expression: Annotated[str, Field(min_length=1, max_length=LENGTH_MAX)] | None = Field(
        None, description="What else must be true, in CEL; see [expressions](#expressions)."
    )


class When(Circumstances):
    """Who, when and where; all that is named must hold. Answered once, when an order is first awarded."""

    channels: Words = Field([], description="Orders of any of these channels.")
    stores: Words = Field([], description="Orders of any of these stores.")
    first_order: bool | None = Field(
        None, description="`true`: only a member's first order; `false`: all but the first."
    )


class Entry(Part):
    """What rules and campaigns share."""

    id: Name = Field(description="Its name in every event and report; unique among its kind.")
    only: Lines = Field(Lines(), description="Only these lines.")
    except_: Lines = Field(Lines(), alias="except", description="Never these lines, whatever `only` says.")
    when: When = Field(When(), description="Who and when.")
    from_: Instant | None = Field(None, alias="from", description="From this instant on.")
    until: Instant | None = Field(None, description="Up to, not including, this instant.")
    minimum: Money = Field(
        0,
        description="Only orders whose whole basis reaches this amount.",
    )


class Rule(Entry):
    """Points for an order: `rate` for each unit of money, or fixed `points`."""

    rate: Rate | None = Field(None, description="Points for each 1 of the program's currency.")
    points: Points | None = Field(None, description="Points for the order as such.")
    priority: Annotated[int, Field(ge=-1000, le=1000)] = Field(
        0, description="With `stacking: first` the highest counts; equal ones in the order written."
    )


class Campaign(Entry):
    """A multiplier for a time, on the lines it names."""

    multiplier: Rate = Field(description="Times as many points.")
    activities: Words = Field(
        [],
        description="Multiplies points of these instead of orders': ids of activities, `review`, `referral`.",
    )


class Level(Part):
    """A tier."""

    id: Name = Field(description="Its name in every event and report.")
    threshold: Money = Field(
        0,
        description="What a member needs of the measure to reach it (points, money, orders). The first level has none.",
    )
    multiplier: Rate = Field(
        Fraction(1),
        description="Times as many points for orders.",
    )
    entry_bonus: Points | None = Field(
        None,
        description="Points for entering it, once for each member; a jump over several levels pays only that of the "
        "level entered. They never count towards tiers.",
    )
    activities: Annotated[dict[Text, Rate], Field(max_length=ENTRIES_MAX)] = Field(
        {}, description="Times as many points for these: ids of activities, `review`, `referral`."
    )
    benefits: Words = Field([], description="What else it brings, in words; shown, never acted on.")


class Tiers(Part):
    """The levels members rise through."""

    measure: Literal["points_earned", "spend", "order_count"] = Field(
        "points_earned",
        description="What counts: points earned, money spent (the basis), or orders of which anything is left. "
        "Never the balance.",
    )
    window: Literal["lifetime", "calendar_year", "anniversary", "rolling"] = Field(
        "lifetime",
        description="The time over which it counts: for ever, calendar years, years from the day of joining, or the "
        "last `months` up to today.",
    )
    months: Months | None = Field(None, description="With `window: rolling`: how many months it looks back.")
    grace_days: Annotated[int, Field(ge=0, le=DAYS_MAX)] = Field(
        0, description="Days after the window's end before a member falls."
    )
    fall: Literal["qualified", "one_level"] = Field(
        "qualified", description="At the window's end a member falls to the level qualified for, or by one level."
    )
    open_refund: Literal["window_end", "at_once"] = Field(
        "window_end",
        description="A refund takes the window that still runs below a level: the member falls at its end, or at once. "
        "(One that takes a window that is over below it lowers at once in any case.)",
    )
    levels: Annotated[list[Level], Field(min_length=1, max_length=ENTRIES_MAX)] = Field(
        description="Lowest first; the first is where everybody starts."
    )


class Expiry(Part):
    """How points end."""

    mode: Literal["never", "after_available", "inactivity"] = Field(
        "never",
        description="Points never end; each some months after it can be spent; or all of them, some months after the "
        "member last earned or redeemed anything.",
    )
    months: Months | None = Field(
        None,
        description="How many months, to the end of the day of that date; a month without that day: its last one.",
    )


class Reward(Part):
    """Something to be had for points."""

    id: Name = Field(description="Its name in redemptions and events; unique among rewards.")
    points: Points = Field(description="What it costs.")
    tiers: Words = Field([], description="Only for members who hold any of these tiers; left out: for everybody.")


class Reviews(Part):
    """Points for reviews of products. An edited review is worth what it is now, a removed one nothing."""

    points: Points = Field(description="For a review.")
    photo: Points | None = Field(None, description="Instead, for one with a photo.")
    video: Points | None = Field(None, description="Instead, for one with a video; of both the higher counts.")
    verified_only: bool = Field(default=False, description="Only reviews of purchases that the shop has verified.")
    minimum_length: Annotated[int, Field(ge=0, le=POINTS_MAX)] = Field(
        0, description="Only those of so many characters."
    )
    once_per_product: bool = Field(
        default=True, description="One review of a member counts for each product: the first that stands."
    )


class Limit(Part):
    """How often something is rewarded. The windows are local ones."""

    times: Annotated[int, Field(ge=1, le=POINTS_MAX)] = Field(description="So many times at most.")
    per: Literal["lifetime", "day", "week", "month", "year"] = Field(
        "lifetime", description="In a membership's lifetime, a day, an ISO week, a calendar month or year."
    )


class Activity(Part):
    """Something that members do, of a kind that platforms name in `commerce.activity.recorded`."""

    id: Name = Field(description="Its kind, as facts name it; also its name in events and reports.")
    points: Points | None = Field(None, description="Points for it; left out: it only collects stamps, or is counted.")
    per_unit: bool = Field(default=False, description="The points are for each unit (`quantity`), not for the fact.")
    limit: Limit | None = Field(None, description="How often a member is rewarded for it; left out: always.")
    attributes: Words = Field([], description="Properties that are kept of it; facts may carry others, which are not.")
    when: Circumstances = Field(Circumstances(), description="Who and when.")
    from_: Instant | None = Field(None, alias="from", description="From this instant on.")
    until: Instant | None = Field(None, description="Up to, not including, this instant.")


class Referrals(Part):
    """Points for members who bring others, and for those they bring, on the first order of the new one."""

    referrer: Points | None = Field(None, description="For the member who brought another.")
    referee: Points | None = Field(None, description="For the one who was brought.")
    minimum: Money = Field(0, description="Only where the basis of the new member's first order reaches this amount.")
    blocks: list[Literal["same_ip", "same_device", "same_payment"]] = Field(
        [], description="Signals of the shop that block a referral; a person can unblock it."
    )
    limit: Limit | None = Field(None, description="How many referrals a referrer is rewarded for; left out: all.")


class Enrolment(Part):
    """Joining the program."""

    bonus: Points | None = Field(None, description="Points for enrolling, once for each member.")
    required: bool = Field(
        default=False,
        description="Points of guests wait: they can be spent once `loyalty.member.enrolled` names their id.",
    )


class Units(Part):
    """Lines of orders whose units are stamps."""

    only: Lines = Field(Lines(), description="Only these lines.")
    except_: Lines = Field(Lines(), alias="except", description="Never these lines, whatever `only` says.")


class Card(Part):
    """A stamp card: every so many units of an activity, or of lines of orders, complete it."""

    id: Name = Field(description="Its name in every event and report; unique among cards.")
    every: Annotated[int, Field(ge=1, le=POINTS_MAX)] = Field(description="Stamps that complete it, again and again.")
    activity: Text | None = Field(None, description="The activity whose units are stamps.")
    orders: Units | None = Field(None, description="Units of lines of orders are stamps; `{}`: of all lines.")
    points: Points | None = Field(None, description="Points for each time it is complete; lost again with its stamps.")
    reward: Text | None = Field(
        None, description="What else there is for it, in words; a reward given stays, whatever becomes of the stamps."
    )


class Document(Part):
    """One version of a program."""

    program: Name = Field(description="The program's name: the same in every fact, for ever.")
    effective_from: Instant = Field(
        description="In force from this instant, inclusive. Only a program's first version may reach back; "
        "a later one is in force at the earliest 60 s after its publication."
    )
    currency: Currency = Field(description="The currency of all amounts here (ISO 4217).")
    time_zone: Zone = Field(description="Where days, weeks and years begin and end (IANA name).")
    basis: Basis = Field(Basis(), description="What of an order's money earns.")
    orders: Orders = Field(Orders(), description="When orders earn, and how it is worked out.")
    rules: Annotated[list[Rule], Field(max_length=ENTRIES_MAX)] = Field([], description="What earns.")
    campaigns: Annotated[list[Campaign], Field(max_length=ENTRIES_MAX)] = Field([], description="What multiplies.")
    reviews: Reviews | None = Field(None, description="Points for reviews; left out: none.")
    activities: Annotated[list[Activity], Field(max_length=ENTRIES_MAX)] = Field(
        [], description="What else earns: newsletter, survey, birthday, workout, pots returned, anything."
    )
    referrals: Referrals | None = Field(None, description="Points for bringing members; left out: none.")
    enrolment: Enrolment = Field(Enrolment(), description="Joining the program.")
    cards: Annotated[list[Card], Field(max_length=ENTRIES_MAX)] = Field([], description="Stamp cards.")
    tiers: Tiers | None = Field(None, description="The levels members rise through; none: no tiers.")
    expiry: Expiry = Field(Expiry(), description="How points end; left out: never.")
    rewards: Annotated[list[Reward], Field(max_length=REWARDS_MAX)] = Field(
        [], description="The catalogue: what members can have for points. Points as such can always be redeemed."
    )

    def canonical(self) -> str:
        """The document as one line of sorted JSON, defaults written out: a stored version keeps its meaning."""
        values = _without_empty(self.model_dump(mode="json", by_alias=True, exclude_none=True))
        return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _without_empty(value: object) -> object:
    """The value without lists and groups that hold nothing: they say no more than their absence."""
    if isinstance(value, dict):
        kept = {key: _without_empty(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part not in ([], {})}
    return [_without_empty(part) for part in value] if isinstance(value, list) else value
