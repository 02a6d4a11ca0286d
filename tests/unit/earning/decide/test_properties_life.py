"""What must be true of a member's whole life: everything taken back leaves nothing (rules 12, 20, 31, 32, 57)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given

from shared.facts.fact import FactData
from shared.facts.imports import BalanceImport, ImportRevert
from shared.facts.orders import OrderCancelled
from shared.facts.redemptions import RedemptionCancelled, RedemptionRequested
from tests.support.model.chance import Chance, bounded, chances
from tests.support.model.core import Core
from tests.support.model.facts import START, fact
from tests.support.model.programs import program_versions
from tests.support.model.traffic import Happening, order_life, plain
from tests.support.model.traffic_beyond import lives_beyond, taken_back


def life(chance: Chance, currency: str) -> list[Happening]:
    """Orders, reviews, activities, imports and redemptions of one member, in the order of their times."""
    happenings = [happening for name in ("o1", "o2") for happening in order_life(chance, name, "ann", currency)]
    happenings += lives_beyond(chance, "ann")
    others: list[FactData] = [
        BalanceImport(batch_id="b", row=1, points=chance.number(0, 90), lifetime_points=chance.number(0, 90)),
        *(RedemptionRequested(redemption_id=f"x{n}", points=chance.number(1, 60)) for n in range(3)),
        RedemptionCancelled(redemption_id="x0", cancel_id="part", points=chance.number(1, 30)),
    ]
    happenings += [Happening("ann", START + timedelta(hours=chance.number(0, 9_000)), content) for content in others]
    return sorted(happenings, key=lambda happening: happening.at)


def send(core: Core, at: datetime, data: FactData, number: int) -> None:
    core.take(fact(data, "ann", at, at, number))


@bounded
@given(chances())
@pytest.mark.rule(31)
def test_everything_taken_back_leaves_nothing(chance: Chance) -> None:
    versions = plain(program_versions(chance))
    core = Core(versions)
    happenings = life(chance, versions.all[0].currency)
    for number, happening in enumerate(happenings):
        send(core, happening.at, happening.data, number)
    end = happenings[-1].at
    takes_back: list[FactData] = [
        *(RedemptionCancelled(redemption_id=f"x{n}", cancel_id="rest") for n in range(3)),
        *(OrderCancelled(order_id=f"o{n}") for n in (1, 2)),
        ImportRevert(batch_id="b"),
        *taken_back(),
    ]
    for number, content in enumerate((chance.shuffled(takes_back)), 1):
        send(core, end + timedelta(hours=number), content, 100 + number)
    standing = core.standing("ann")
    assert standing is not None
    balances = standing.balances
    assert (balances.available, balances.pending, balances.deficit) == (0, 0, 0)
    assert not any(standing.qualifying.values())
    assert not any(held.stamps or held.cards for held in standing.cards.values())
