"""Three rules that no other page shows: 33, 35 and 47."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from services.earning.program.terms import Campaign, Versions
from services.earning.source_events.codec import decode
from shared.errors import PermanentError
from shared.facts.builders import Publisher
from shared.facts.orders import OrderPaid
from tests.unit.earning.decide.story import Story, Told, instant, paid, program, refunded, updated


@pytest.mark.rule(33)
def test_rule_33_a_posting_belongs_to_the_day_it_was_decided() -> None:
    story = Story(Versions((program(),)))
    story.tell(Told("2026-06-05", paid("o", "10")), Told("2026-06-01", paid("p", "10"), received="2026-06-06"))
    late = story.events[-1]
    assert (late.occurred_at, late.decided_at) == (instant("2026-06-01"), instant("2026-06-06"))
    assert (late.balances.available, late.balances.pending, late.balances.deficit) == (20, 0, 0)


@pytest.mark.rule(35)
def test_rule_35_a_campaign_is_never_applied_after_the_fact_but_by_a_new_version_of_the_order() -> None:
    big = (Campaign("big", Fraction(2), minimum_micros=100_000_000),)
    newer = program(version=2, in_force_from=instant("2026-06-02"), campaigns=(Campaign("all", Fraction(3)),))
    story = Story(Versions((program(campaigns=big), newer)))
    story.tell(Told("2026-06-01", paid("o", "90")), Told("2026-06-03", refunded("o", "r", "10")))
    assert story.said == ["earned 90", "reversed 10 refunded"]
    story.tell(Told("2026-06-04", updated("o", "110")))
    assert story.said[-1] == "earned 120"


@pytest.mark.rule(47)
def test_rule_47_an_unknown_currency_is_a_dead_letter_even_with_a_rate() -> None:
    order = {"order_id": "o", "currency": "XXQ", "exchange_rate": "1.5", "lines": []}
    noon = instant("2026-06-01 12:00")
    envelope = Publisher("club", "shop").event(OrderPaid.TYPE, order, id="e", member="ann", time=noon)
    with pytest.raises(PermanentError) as caught:
        decode(
            json.dumps(envelope).encode(),
            (),
            key=b"club/ann",
            received_at=instant("2026-06-01 14:00"),
            topic="commerce.orders",
            partition=0,
            offset=0,
        )
    assert caught.value.reason == "unknown_currency"
