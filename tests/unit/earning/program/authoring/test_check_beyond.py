"""Checking what a document says beyond orders: reviews, activities, and what multiplies them."""

import pytest

from tests.unit.earning.program.authoring.test_check import HEAD, problems

# What is added to a valid head → line and column, field, a part of the message, a part of the cure.
WRONG: dict[str, tuple[str, str, str, str, str]] = {
    "activity of a reserved name": (
        "activities: [{id: review}]",
        "5:19",
        "activities[0].id",
        "kind of its own",
        "another",
    ),
    "units of nothing": (
        "activities: [{id: pot, per_unit: true}]",
        "5:24",
        "activities[0].per_unit",
        "no points to give",
        "points",
    ),
    "card of nothing": (
        "cards: [{id: c, every: 5, points: 1}]",
        "5:9",
        "cards[0]",
        "what its stamps are",
        "orders: {}",
    ),
    "card for nothing": (
        "cards: [{id: c, every: 5, orders: {}}]",
        "5:9",
        "cards[0]",
        "worth nothing, or two things",
        "`reward:`",
    ),
    "card of an activity that is not there": (
        "activities: [{id: pot}]\ncards: [{id: c, every: 5, activity: pots, reward: mask}]",
        "6:37",
        "cards[0].activity",
        "no activity is called `pots`",
        "`pot`",
    ),
    "card of no stamps": (
        "cards: [{id: c, every: 0, orders: {}, points: 5}]",
        "5:24",
        "cards[0].every",
        "out of range",
        "from 1 to",
    ),
    "card twice": (
        "cards: [{id: c, every: 5, orders: {}, points: 5}, {id: c, every: 5, orders: {}, points: 5}]",
        "5:56",
        "cards[1].id",
        "another one on line 5",
        "own",
    ),
    "referrals for nobody": ("referrals: {minimum: 20}", "5:12", "referrals", "nobody gets anything", "`referrer:`"),
    "a signal that nobody knows": (
        "referrals: {referrer: 1, blocks: [same_name]}",
        "5:35",
        "referrals.blocks[0]",
        "none of the choices",
        "same_ip",
    ),
    "an expression about nothing": (
        "rules: [{id: a, rate: 1, when: {expression: 'member.tire == 1'}}]",
        "5:45",
        "rules[0].when.expression",
        "`member.tire` is unknown",
        "`member.tier`",
    ),
    "an expression of an attribute that is not declared": (
        "activities: [{id: a, attributes: [shoe], when: {expression: attributes.size == '1'}}]",
        "5:61",
        "activities[0].when.expression",
        "`attributes.size` is unknown",
        "attributes.shoe",
    ),
    "an expression of orders for activities": (
        "reviews: {points: 1}\ncampaigns: [{id: c, multiplier: 2, activities: [review], when: {expression: a.b}}]",
        "6:77",
        "campaigns[0].when.expression",
        "`a.b` is unknown",
        "sees",
    ),
    "activity twice": ("activities: [{id: a}, {id: a}]", "5:28", "activities[1].id", "another one on line 5", "own"),
    "limit of none": (
        "activities: [{id: a, limit: {times: 0}}]",
        "5:37",
        "activities[0].limit.times",
        "out of range",
        "from 1 to",
    ),
    "campaign for an activity that is not there": (
        "activities: [{id: run}]\ncampaigns: [{id: c, multiplier: 2, activities: [rum]}]",
        "6:49",
        "campaigns[0].activities[0]",
        "no activity is called `rum`",
        "`run`",
    ),
    "campaign for reviews that are not rewarded": (
        "campaigns: [{id: c, multiplier: 2, activities: [review]}]",
        "5:49",
        "campaigns[0].activities[0]",
        "no activity is called `review`",
        "Add `activities:`",
    ),
    "campaign for activities of an amount": (
        "reviews: {points: 5}\ncampaigns: [{id: c, multiplier: 2, activities: [review], minimum: 5}]",
        "6:58",
        "campaigns[0].minimum",
        "no lines and no amount",
        "Leave it out",
    ),
    "campaign for activities of a first order": (
        "reviews: {points: 5}\ncampaigns: [{id: c, multiplier: 2, activities: [review], when: {first_order: true}}]",
        "6:65",
        "campaigns[0].when.first_order",
        "are never the first",
        "Leave it out",
    ),
    "tier for an activity that is not there": (
        "tiers: {levels: [{id: a, activities: {run: 2}}]}",
        "5:39",
        "tiers.levels[0].activities.run",
        "no activity is called `run`",
        "Add `activities:`",
    ),
    "activity at a channel": (
        "activities: [{id: a, when: {channels: [web]}}]",
        "5:29",
        "activities[0].when.channels",
        "not a setting",
        "Settings here are",
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told_at_its_place_with_its_cure(case: tuple[str, str, str, str, str]) -> None:
    text, place, field, message, cure = case
    (problem,) = problems(HEAD + text)
    assert problem.text("shop.yaml").startswith(f"shop.yaml:{place}: {field}: ")
    assert message in problem.message
    assert cure in problem.cure
