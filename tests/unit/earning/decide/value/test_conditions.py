"""Expressions decide by what is pinned, never fail, and stop where they would go on: rules 3, 9 and 29."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import pytest

from services.earning.program.expressions import (
    ACTIVITIES,
    GRANTS,
    ORDERS,
    ExpressionInvalidError,
    Visible,
    compiled,
    of_activity,
)
from services.earning.program.terms import Activity, Campaign, Conditions, Rule, Versions
from shared.facts.activities import ActivityRecorded
from shared.facts.fact import FactData
from shared.facts.members import MemberEnrolled, MemberUpdated
from tests.unit.earning.decide.story import Story, Told, instant, ladder, paid, program, refunded, updated


def where(text: str, visible: Visible = ORDERS) -> Conditions:
    return Conditions(expression=compiled(text, visible))


BIRTHDAY = where("'birth_month' in member.attributes && member.attributes['birth_month'] == string(time.month)")
ANN = MemberEnrolled(attributes={"birth_month": "6"}, segments=("vip",))


@pytest.mark.rule(3, 29)
def test_rule_29_a_campaign_asks_what_plain_fields_cannot() -> None:
    twice = Campaign("birthday", Fraction(2), conditions=BIRTHDAY)
    told = Story(Versions((program(campaigns=(twice,)),)))
    told.tell(Told("2026-05-01", ANN), Told("2026-06-30 23:00", paid("a", "10")), Told("2026-07-01", paid("b", "10")))
    told.tell(Told("2026-06-30", paid("c", "10"), member="bob"))
    assert [word for word in told.said if "earned" in word] == ["earned 20", "earned 10", "earned 10"]


@pytest.mark.rule(3, 9)
def test_rule_09_what_an_expression_saw_is_pinned_for_the_life_of_the_order() -> None:
    twice = Campaign("birthday", Fraction(2), conditions=BIRTHDAY)
    told = Story(Versions((program(campaigns=(twice,)),)))
    told.tell(Told("2026-05-01", ANN), Told("2026-06-01", paid("a", "10")))
    told.tell(Told("2026-06-02", MemberUpdated(attributes={})), Told("2026-07-03", refunded("a", "r", "4")))
    assert told.said[-1] == "reversed 8 refunded"


@pytest.mark.rule(3, 51)
def test_rule_03_a_rule_by_channel_and_hour_gives_the_same_in_any_order_of_arrival() -> None:
    late = Rule("late", rate=Fraction(1), conditions=where("order.channel == 'app' && time.hour >= 22"))
    facts: list[FactData] = [paid("a", "10", channel="app"), updated("a", "20", channel="app"), refunded("a", "r", "5")]
    for order in permutations([Told(f"2026-06-01 2{2 + n // 2}:0{n}", fact) for n, fact in enumerate(facts)]):
        arrived = [Told(one.at, one.data, received="2026-06-10") for one in order]
        assert Story(Versions((program(rules=(late,)),))).tell(*arrived).ann.balances.available == 15


@pytest.mark.rule(27)
def test_rule_27_an_activity_is_asked_for_its_attributes_and_units() -> None:
    far = where("attributes.shoe == 'trail' && quantity > 10", of_activity(["shoe"]))
    run = Activity("run", 5, attributes=frozenset({"shoe"}), conditions=far)
    told = Story(Versions((program(activities=(run,)),)))
    for number, (shoe, quantity) in enumerate([("trail", 11), ("trail", 10), ("road", 99)]):
        done = ActivityRecorded(activity_id=f"a{number}", kind="run", quantity=quantity, attributes={"shoe": shoe})
        told.tell(Told("2026-06-01", done))
    told.tell(Told("2026-06-01", ActivityRecorded(activity_id="b", kind="run", quantity=20)))
    assert told.said == ["earned 5", *["fact.recorded nothing_eligible"] * 3]


SEEN = [
    "member.tier == 'bronze'",
    "'vip' in member.segments",
    "member.attributes['birth_month'] == '6'",
    "member.first_order",
    "order.channel == 'web'",
    "order.store == 'kiel'",
    "time.year == 2026 && time.month == 7 && time.day == 1 && time.weekday == 3 && time.hour == 1",
]


@pytest.mark.rule(29)
@pytest.mark.parametrize("text", SEEN)
def test_rule_29_an_order_is_seen_as_it_is_pinned_on_the_programs_clock(text: str) -> None:
    seen = program(rules=(Rule("r", rate=Fraction(1), conditions=where(text)),), tiers=ladder())
    told = Story(Versions((seen,)))
    told.tell(Told("2026-05-01", ANN), Told("2026-07-01 01:00", paid("a", "10", channel="web", store="kiel")))
    assert told.said[-1] == "earned 10"


@pytest.mark.rule(29)
@pytest.mark.parametrize("text", ["order.channel == ''", "order.store == ''"])
def test_rule_29_what_an_order_does_not_say_is_empty(text: str) -> None:
    told = Story(Versions((program(rules=(Rule("r", rate=Fraction(1), conditions=where(text)),)),)))
    told.tell(Told("2026-06-01", paid("a", "10")), Told("2026-06-01", paid("b", "10", channel="web", store="kiel")))
    assert told.said == ["earned 10", "fact.recorded nothing_eligible"]


@pytest.mark.rule(27, 29)
def test_rule_27_an_activity_is_asked_for_its_member_and_what_it_lacks_is_empty() -> None:
    asked = where("'vip' in member.segments && attributes.shoe == ''", of_activity(["shoe"]))
    run = Activity("run", 5, attributes=frozenset({"shoe"}), conditions=asked)
    told = Story(Versions((program(activities=(run,)),)))
    told.tell(Told("2026-05-01", ANN), Told("2026-06-01", ActivityRecorded(activity_id="a", kind="run")))
    assert told.said[-1] == "earned 5"


@pytest.mark.rule(3)
def test_rule_03_a_campaign_begins_and_ends_at_its_instants() -> None:
    june = Conditions(starts_at=instant("2026-06-01"), ends_at=instant("2026-07-01"))
    told = Story(Versions((program(campaigns=(Campaign("june", Fraction(2), conditions=june),)),)))
    for number, at in enumerate(["2026-05-31 23:59", "2026-06-01", "2026-06-30 23:59", "2026-07-01"]):
        told.tell(Told(at, paid(f"o{number}", "10")))
    assert told.said == ["earned 10", "earned 20", "earned 20", "earned 10"]


def test_what_cannot_be_answered_does_not_hold() -> None:
    asking = compiled("member.attributes['shoe'] == 'trail'", GRANTS)
    assert not asking.holds({"member.attributes": {}})
    assert asking.holds({"member.attributes": {"shoe": "trail"}})
    assert not compiled("1 / time.hour > 0", GRANTS).holds({"time.hour": 0})


def test_a_hostile_expression_is_stopped_within_its_steps() -> None:
    """10^8 steps where it is not stopped: minutes."""
    nested = "time.hour"
    for name in "abcdefgh":
        nested = f"[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map({name}, {nested})"
    assert not compiled(f"{nested}.size() > 0", GRANTS).holds({"time.hour": 1})


WRONG = {
    "an unknown name": ("member.tear == 'gold'", ORDERS, "column 7: `member.tear` is unknown", "`member.tier`"),
    "a name of orders": ("order.store == 'x'", ACTIVITIES, "`order.store` is unknown", "sees `member.tier`"),
    "an undeclared attribute": ("attributes.size > 1", of_activity(["shoe"]), "`attributes.size` is unknown", "shoe"),
    "types mixed": ("member.tier > 5", ORDERS, "column 13: found no matching overload", "reads like"),
    "half of it": ("time.hour >", ORDERS, "column 12: Syntax error", "reads like"),
    "no question": ("time.hour + 1", ORDERS, "it gives int, not true or false", "time.hour < 12"),
    "far too deep": ("(" * 400 + "true" + ")" * 400, ORDERS, "nested too deep", "several entries"),
    "far too long": ("true || " * 200 + "true", ORDERS, "1,604 characters", "at most 1,000"),
}


@pytest.mark.parametrize(("text", "visible", "message", "cure"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told_when_it_is_compiled(text: str, visible: Visible, message: str, cure: str) -> None:
    with pytest.raises(ExpressionInvalidError) as refused:
        compiled(text, visible)
    assert message in refused.value.message
    assert cure in refused.value.cure


def test_every_visible_name_has_a_type_that_compiles() -> None:
    for name, (kind, _) in (ORDERS | ACTIVITIES).items():
        comparison = {"string": "== ''", "int": "== 0", "bool": "== true"}.get(kind, ".size() == 0")
        text = f"{name} {comparison}".replace(" .", ".")
        assert compiled(text, ORDERS | ACTIVITIES).text == text
