"""Lives of orders as lists of facts with times of their own, to be sent in any order of arrival."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, get_args

import msgspec

from services.earning.program.terms import Caps, Conditions, Expiry, Program, Versions
from services.earning.source_events.facts import Fact
from shared.facts.fact import FactData
from shared.facts.orders import (
    Order,
    OrderCancelled,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    OrderUpdated,
    Refund,
    RefundLine,
)
from shared.facts.values import Status
from shared.money import decimal
from tests.support.model.chance import Chance
from tests.support.model.core import Core
from tests.support.model.facts import START, fact, line, order, refund
from tests.support.model.priced import price


def steady(versions: Versions) -> Versions:
    """The same program without anything that is first come, first served: what remains converges per order."""
    return Versions(tuple(_steady(program) for program in versions.all))


def plain(versions: Versions) -> Versions:
    """Without entry bonuses, which stay until a window's end, and without expiry: what is gone can't be taken back."""
    programs = []
    for program in versions.all:
        tiers = program.tiers
        if tiers is not None:
            levels = tuple(msgspec.structs.replace(level, entry_bonus=0) for level in tiers.levels)
            tiers = msgspec.structs.replace(tiers, levels=levels)
        programs.append(msgspec.structs.replace(program, tiers=tiers, expiry=Expiry()))
    return Versions(tuple(programs))


def _steady(program: Program) -> Program:
    rules = tuple(msgspec.structs.replace(rule, conditions=_alone(rule.conditions)) for rule in program.rules)
    campaigns = tuple(
        msgspec.structs.replace(campaign, conditions=_alone(campaign.conditions)) for campaign in program.campaigns
    )
    return msgspec.structs.replace(
        program, rules=rules, campaigns=campaigns, tiers=None, caps=Caps(), expiry=Expiry(), cards=()
    )


def _alone(conditions: Conditions) -> Conditions:
    return msgspec.structs.replace(conditions, tiers=frozenset(), segments=frozenset(), first_order=None)


@dataclass(frozen=True)
class Happening:
    """A fact's data and when it happened; it may arrive at any time after."""

    member: str
    at: datetime
    data: FactData


def order_life(chance: Chance, order_id: str, member: str, currency: str) -> list[Happening]:
    """Paid at some time, then whatever else; every happening at a time of its own."""
    fields: dict[str, Any] = order(chance, order_id, currency, None)
    contents: list[FactData] = [OrderPaid(**fields)]
    for _ in range(chance.number(0, 6)):
        contents.append(_happens(chance, fields))
        if isinstance(contents[-1], OrderUpdated):
            fields = {**fields, "lines": contents[-1].lines}
    hours = sorted(chance.subset(range(9_000), len(contents), len(contents)))
    times = [START + timedelta(hours=hour) for hour in hours]
    return [Happening(member, time, data) for time, data in zip(times, contents, strict=True)]


def _happens(chance: Chance, fields: dict[str, Any]) -> FactData:
    order_id = fields["order_id"]
    match chance.among("rrrucpf"):
        case "r":
            given = refund(chance, chance.one("r1", "r2"), OrderPaid(**fields))
            return OrderRefunded(order_id=order_id, **{n: getattr(given, n) for n in Refund.__struct_fields__})
        case "u":
            sold = tuple(line(chance, number) for number in range(1, 1 + chance.number(1, 3)))
            back = tuple(refund(chance, name, OrderPaid(**fields)) for name in chance.one((), ("r1",)))
            status: Status = chance.among(get_args(Status))
            return OrderUpdated(**{**fields, "lines": sold}, status=status, refunds=back)
        case "c":
            return OrderCancelled(order_id=order_id)
        case "f":
            return OrderFulfilled(order_id=order_id)
        case _:
            return OrderPaid(**fields)


def arrive(core: Core, happenings: list[Happening], start: datetime | None = None) -> list[str]:
    """Send happenings in the order given, a second apart, beginning after the last of them (or at `start`)."""
    first = start or max(happening.at for happening in happenings)
    return [core.take(arrival(happening, first, number)) for number, happening in enumerate(happenings)]


def arrival(happening: Happening, first: datetime, number: int) -> Fact:
    """The fact of a happening that arrives so many seconds after the first."""
    return fact(happening.data, happening.member, happening.at, first + timedelta(seconds=number), number)


def full_refunds(chance: Chance, sold: Order, program: Program) -> list[Refund]:
    """Refunds that give back all of an order, in any split, in any order."""
    given: list[Refund] = []
    priced = price(sold, program.basis)
    if chance.once_in(2):
        for known in priced[:-1]:
            assert known.line is not None
            quantity = known.line.quantity
            given += [
                Refund(
                    refund_id=f"{known.line_id}-{number}",
                    lines=(RefundLine(line_id=known.line_id, amount=part, quantity=None if number else quantity),),
                )
                for number, part in enumerate(_split(chance, known.price))
            ]
        shipped = _split(chance, priced[-1].price)
        given += [Refund(refund_id=f"shipping-{number}", shipping=part) for number, part in enumerate(shipped)]
        if not priced[-1].price:  # there may be tax on it, which no refund of shipping can name
            given.append(Refund(refund_id="tax", amount=decimal(int(priced[-1].cash * 1_000_000))))
    else:
        cash = sum((known.cash for known in priced), Fraction(0))
        given += [Refund(refund_id=f"{number}", amount=part) for number, part in enumerate(_split(chance, cash))]
    return chance.shuffled(given)


def _split(chance: Chance, amount: Fraction) -> list[str]:
    """An amount as up to four amounts that add up to it."""
    whole = int(amount * 1_000_000)
    cuts = sorted(chance.number(0, whole) for _ in range(chance.number(0, 3)))
    return [decimal(to - start) for start, to in zip([0, *cuts], [*cuts, whole], strict=True)]
