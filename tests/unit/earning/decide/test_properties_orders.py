"""What must be true of orders whatever happens: convergence, refunds, books (rules 4, 6, 9, 11, 13, 31, 42)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import assume, given

from services.earning.state.keys import OrderState
from services.earning.state.standing import Standing
from shared.facts.orders import OrderCancelled, OrderPaid, OrderRefunded, Refund
from tests.support.model.chance import Chance, bounded, chances
from tests.support.model.core import Core
from tests.support.model.facts import START, order
from tests.support.model.priced import price
from tests.support.model.programs import program_versions
from tests.support.model.traffic import Happening, arrive, full_refunds, order_life, plain, steady


def standing_of(core: Core, member: str) -> Standing:
    standing = core.standing(member)
    assert standing is not None
    return standing


def worth(core: Core, order_id: str) -> tuple[dict[str, int], dict[str, int]]:
    """An order's points by rule and by line, without those that have none."""
    book = core.book("shop", "order", order_id)
    if not isinstance(book, OrderState):
        return {}, {}
    return {r: p for r, p in book.rules.items() if p}, {line: p for line, p in book.lines.items() if p}


def settled(core: Core, member: str) -> int:
    balances = standing_of(core, member).balances
    return balances.available + balances.pending - balances.deficit


@bounded
@given(chances())
@pytest.mark.rule(6)
def test_one_orders_facts_end_the_same_in_any_order_and_however_often(chance: Chance) -> None:
    versions = steady(program_versions(chance))
    life = order_life(chance, "o1", "ann", versions.all[0].currency)
    one, other = Core(versions), Core(versions)
    end = max(happening.at for happening in life)
    outcomes = arrive(one, life, end)
    again = chance.shuffled([*life, *chance.subset(life, 0, 4)])
    also = arrive(other, again, end)
    assume("no_exchange_rate" not in [*outcomes, *also])
    assert worth(one, "o1") == worth(other, "o1")
    assert settled(one, "ann") == settled(other, "ann") == sum(worth(one, "o1")[0].values())
    assert also.count("applied") == outcomes.count("applied")


@bounded
@given(chances())
@pytest.mark.rule(6)
def test_orders_that_share_nothing_end_the_same_in_any_order(chance: Chance) -> None:
    versions = steady(program_versions(chance))
    currency = versions.all[0].currency
    lives = [(order_life(chance, f"o{number}", "ann", currency)) for number in range(1, 4)]
    happenings = [happening for life in lives for happening in life]
    end = max(happening.at for happening in happenings)
    one, other = Core(versions), Core(versions)
    outcomes = arrive(one, sorted(happenings, key=lambda happening: happening.at), end)
    also = arrive(other, (chance.shuffled(happenings)), end)
    assume("no_exchange_rate" not in [*outcomes, *also])
    assert [worth(one, f"o{n}") for n in range(1, 4)] == [worth(other, f"o{n}") for n in range(1, 4)]
    forgiven = [standing_of(core, "ann").balances.forgiven for core in (one, other)]
    assert settled(one, "ann") - forgiven[0] == settled(other, "ann") - forgiven[1]


@bounded
@given(chances())
@pytest.mark.rule(9)
def test_refunds_in_any_split_add_up_to_the_whole_reversal(chance: Chance) -> None:
    versions = plain(program_versions(chance))
    sold = OrderPaid(**{**order(chance, "o1", versions.all[0].currency, None), "test": False})
    core = Core(versions)
    arrive(core, [Happening("ann", START, sold)])
    version = versions.at(START)
    assert version is not None
    assume(any(line.cash for line in price(sold, version.basis)))
    for number, refund in enumerate(full_refunds(chance, sold, version), 1):
        fields = {name: getattr(refund, name) for name in Refund.__struct_fields__}
        at = START + timedelta(hours=number)
        arrive(core, [Happening("ann", at, OrderRefunded(order_id="o1", **fields))])
    balances = standing_of(core, "ann").balances
    assert worth(core, "o1") == ({}, {})
    assert (balances.available, balances.deficit) == (0, 0)
    assert balances.reversed == balances.earned


@bounded
@given(chances())
@pytest.mark.rule(31)
def test_everything_cancelled_leaves_nothing(chance: Chance) -> None:
    versions = plain(program_versions(chance))
    currency = versions.all[0].currency
    lives = [(order_life(chance, f"o{number}", "ann", currency)) for number in range(1, 4)]
    happenings = chance.shuffled([happening for life in lives for happening in life])
    end = max(happening.at for happening in happenings)
    core = Core(versions)
    arrive(core, happenings, end)
    assume("ann" in core.standings)
    cancels = [Happening("ann", end + timedelta(days=1), OrderCancelled(order_id=f"o{n}")) for n in range(1, 4)]
    arrive(core, cancels)
    standing = standing_of(core, "ann")
    assert settled(core, "ann") == standing.balances.available == 0
    assert not any(standing.qualifying.values())
    assert standing.orders_open == 0


@bounded
@given(chances())
@pytest.mark.rule(17)
def test_time_in_two_steps_is_time_in_one(chance: Chance) -> None:
    versions = program_versions(chance)
    first, second = chance.number(0, 900), chance.number(0, 900)
    currency = versions.all[0].currency
    happenings = [*(order_life(chance, "o1", "ann", currency)), *(order_life(chance, "o2", "ann", currency))]
    end = max(happening.at for happening in happenings)
    one, other = Core(versions), Core(versions)
    arrive(one, happenings, end)
    arrive(other, happenings, end)
    one.advance("ann", end + timedelta(days=first))
    one.advance("ann", end + timedelta(days=first + second))
    other.advance("ann", end + timedelta(days=first + second))
    assume("ann" in one.standings)
    one_standing, other_standing = standing_of(one, "ann"), standing_of(other, "ann")
    one_standing.decision = other_standing.decision = 0  # each advance that moves anything is a decision of its own
    assert one_standing == other_standing
    assert one.lots_of("ann") == other.lots_of("ann")
    assert one.rows == other.rows
