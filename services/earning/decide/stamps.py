"""Stamps: what a fact's key holds of each card, and what a card is worth that is complete so many times.

Points for a card follow its stamps up and down. A reward that can't be taken back stays: the next comes once the card
is complete more often than ever.
"""

from __future__ import annotations

from services.earning.books import CardBook, Grant, OrderBook
from services.earning.decide.basis import lines_of
from services.earning.decide.draft import Draft, public
from services.earning.decide.grants import Deserved, Granting, pinned
from services.earning.decide.plans import selects
from services.earning.decide.worth import left_of
from services.earning.program.terms import Card, Program
from services.earning.standing import BusinessKey, CardHeld, KeyRow
from shared.point_events import SOURCE, RuleShare, StampCardCompleted, StampCollected


def stamps_of_activity(program: Program | None, kind: str, quantity: int) -> dict[str, int]:
    """The stamps of an activity that counts, by card: one for each unit."""
    if program is None or not quantity:
        return {}
    return {card.id: quantity for card in program.cards if card.activity == kind}


def stamps_of_order(program: Program, book: OrderBook) -> dict[str, int]:
    """The stamps of an order that counts, by card: one for each unit that is left of the lines selected.

    A unit is lost where a refund names quantities, or the whole line came back.
    """
    sold = book.sold
    if sold is None:
        return {}
    lines = lines_of(sold, program.basis)
    shares = left_of(book, program.basis, lines)
    units = [line.quantity for line in lines.sold]
    if shares is not None:
        for i, line in enumerate(lines.sold):
            named = [
                back.quantity or 0
                for refund in book.refunds.values()
                for back in refund.lines
                if back.line_id == line.line_id
            ]
            units[i] = max(0, units[i] - sum(named)) if shares[i] else 0
    stamps = {}
    for card in program.cards:
        selection = card.selection
        if selection is not None:
            chosen = [i for i, line in enumerate(lines.sold) if line.line_id and selects(selection, line)]
            stamps[card.id] = sum(units[i] for i in chosen if i not in lines.hidden)
    return {card: number for card, number in stamps.items() if number}


def collect(
    granting: Granting, row: KeyRow, program: Program | None, before: dict[str, int], now: dict[str, int]
) -> None:
    """Bring the cards from what a key held of them to what it holds now, and say so.

    Raises:
        RowsMissingError: a card's row was not looked for yet.
    """
    cards = {card.id: card for card in program.cards} if program is not None else {}
    for name in {**before, **now}:
        change = now.get(name, 0) - before.get(name, 0)
        if change and name in cards:
            _stamp(granting, row, cards[name], change)


def _stamp(granting: Granting, row: KeyRow, card: Card, change: int) -> None:
    draft = granting.draft
    held = draft.standing.cards.get(card.id, CardHeld())
    total = held.stamps + change
    due = total // card.every
    missing = card.every - total % card.every
    draft.say(StampCollected, key=public(row.key), card=card.id, stamps=change, total=total, missing=missing)
    if due > held.best:
        more = due - held.best
        draft.say(StampCardCompleted, key=public(row.key), card=card.id, number=due, cards=more, reward=card.reward)
    held = CardHeld(total, held.cards, max(held.best, due), held.last)
    if card.points:
        held = _pay(granting, card, held, due) if due > held.cards else _take(granting, card, held, due)
    draft.standing.cards = {**draft.standing.cards, card.id: held}


def _pay(granting: Granting, card: Card, held: CardHeld, due: int) -> CardHeld:
    """Pay for cards completed anew, as one grant; it remembers where those before it begin."""
    first = held.cards + 1
    row = _row(granting.draft, card, first)
    _bring(granting, card, row, due - held.cards, held.last)
    return CardHeld(held.stamps, due, held.best, first)


def _take(granting: Granting, card: Card, held: CardHeld, due: int) -> CardHeld:
    """Take the points of cards back that are not complete any more, the last ones first."""
    paid, last = held.cards, held.last
    while paid > due and last:
        row = _row(granting.draft, card, last)
        before = row.book.before if isinstance(row.book, CardBook) else 0
        paid = max(due, last - 1)
        _bring(granting, card, row, paid - last + 1, before)
        if paid < last:
            last = before
    return CardHeld(held.stamps, paid, held.best, last)


def _bring(granting: Granting, card: Card, row: KeyRow, cards: int, before: int) -> None:
    """A grant brought to the points of so many cards, each worth what it was when the first of them was paid."""
    draft = granting.draft
    known = row.book.grant if isinstance(row.book, CardBook) else Grant()
    if not known.points:
        known = Grant(None, {}, known.qualified, known.window)
        each = card.points
    else:
        each = known.points // (row.book.cards if isinstance(row.book, CardBook) else 1)
    grant = pinned(draft, granting.versions, known, draft.occurred_at) if known.pin is None else known
    deserved = Deserved([RuleShare(card.id, each * cards)] if cards else [])
    row.book = CardBook(granting.bring(row, grant, deserved), cards, before)
    draft.keys[row.key] = row


def _row(draft: Draft, card: Card, first: int) -> KeyRow:
    standing = draft.standing
    key = BusinessKey(standing.program, SOURCE, "stamp_card", f"{standing.member}/{card.id}/{first}")
    known = draft.row(key)
    return (
        KeyRow(key, standing.member, known.book, known.lots)
        if known is not None
        else KeyRow(key, standing.member, CardBook())
    )
