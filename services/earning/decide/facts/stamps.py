"""Stamps: what a fact's key holds of each card, and what a card is worth that is complete so many times.

Rules 28, 68 and 69.

Points for a card follow its stamps up and down. A reward that can't be taken back stays: the next comes once the card
is complete more often than ever.
"""

from __future__ import annotations

from msgspec.structs import replace

from services.earning.decide.core.draft import Draft, event_key
from services.earning.decide.points.settlement import Deserved, Settlement, pinned
from services.earning.decide.value.basis import lines_of
from services.earning.decide.value.plans import selects
from services.earning.decide.value.valuation import counted, left_of
from services.earning.program.terms import Card, Program
from services.earning.state.keys import CardState, Grant, OrderState
from services.earning.state.standing import BusinessKey, CardHeld, KeyRow
from shared.point_events import SOURCE, RuleShare, StampCardCompleted, StampCollected


def stamps_of_activity(program: Program | None, kind: str, quantity: int) -> dict[str, int]:
    """The stamps of an activity that counts, by card: one for each unit."""
    if program is None or not quantity:
        return {}
    return {card.id: quantity for card in program.cards if card.activity == kind}


def stamps_of_order(program: Program, book: OrderState) -> dict[str, int]:
    """The stamps of an order that counts, by card: one for each unit that is left of the lines selected.

    A unit is lost where a refund names quantities, or the whole line came back; a refund that takes no points takes no
    stamps. Gift cards have none where they earn nothing.
    """
    sold = book.sold
    if sold is None:
        return {}
    lines = lines_of(sold, program.basis)
    shares = left_of(book, program.basis, lines)
    units = [0 if line.gift_card and not program.basis.gift_cards else line.quantity for line in lines.sold]
    if shares is not None:
        named = [back for refund in counted(book, program.basis) for back in refund.lines if back.quantity]
        for i, line in enumerate(lines.sold):
            lost = sum(back.quantity or 0 for back in named if back.line_id == line.line_id)
            units[i] = max(0, units[i] - lost) if shares[i] else 0
    stamps = {}
    for card in program.cards:
        selection = card.selection
        if selection is not None:
            chosen = [i for i, line in enumerate(lines.sold) if line.line_id and selects(selection, line)]
            stamps[card.id] = sum(units[i] for i in chosen)
    return {card: number for card, number in stamps.items() if number}


def collect(
    granting: Settlement, row: KeyRow, program: Program | None, before: dict[str, int], now: dict[str, int]
) -> None:
    """Bring the cards from what a key held of them to what it holds now, and say so.

    A card that the key's version doesn't have any more loses its stamps all the same.

    Raises:
        RowsMissingError: a card's row was not looked for yet.
    """
    cards = {card.id: card for card in program.cards} if program is not None else {}
    for name in {**before, **now}:
        change = now.get(name, 0) - before.get(name, 0)
        if change:
            held = granting.draft.standing.cards.get(name, CardHeld())
            card = cards.get(name) or Card(name, held.every or 1)
            _stamp(granting, row, card, held, change, known=name in cards)


def _stamp(granting: Settlement, row: KeyRow, card: Card, held: CardHeld, change: int, *, known: bool) -> None:
    """More stamps complete cards, by the version that gives them; fewer take back those that they don't make up."""
    draft = granting.draft
    total = held.stamps + change
    due, missing = total // card.every, card.every - total % card.every
    draft.say(StampCollected, key=event_key(row.key), card=card.id, stamps=change, total=total, missing=missing)
    held = replace(held, stamps=total, every=card.every)
    if change > 0 and known:
        if due > held.best:
            more = due - held.best
            draft.say(
                StampCardCompleted, key=event_key(row.key), card=card.id, number=due, cards=more, reward=card.reward
            )
            held = replace(held, best=due)
        if card.points and due > held.cards:
            held = _pay(granting, card, held, due)
    elif change < 0:
        held = _take(granting, card, held)
    draft.standing.cards = {**draft.standing.cards, card.id: held}


def _pay(granting: Settlement, card: Card, held: CardHeld, due: int) -> CardHeld:
    """Pay for cards completed anew, as one grant; it remembers where those before it begin."""
    first = held.cards + 1
    row = _row(granting.draft, card, first)
    _bring(granting, card, row, due - held.cards, CardState(before=held.last, every=card.every))
    return replace(held, cards=due, last=first)


def _take(granting: Settlement, card: Card, held: CardHeld) -> CardHeld:
    """Take the points of cards back that are not complete any more, the last ones first.

    Each needs the stamps that it needed when it was completed, whatever the card asks for since.
    """
    paid, last = held.cards, held.last
    while last:
        row = _row(granting.draft, card, last)
        book = row.book if isinstance(row.book, CardState) else CardState()
        complete = held.stamps // (book.every or card.every)
        if complete >= paid:
            break
        paid = max(complete, last - 1)
        _bring(granting, card, row, paid - last + 1, book)
        if paid < last:
            last = book.before
    return replace(held, cards=paid, last=last)


def _bring(granting: Settlement, card: Card, row: KeyRow, cards: int, book: CardState) -> None:
    """A grant brought to the points of so many cards, each worth what it was when the first of them was paid."""
    draft = granting.draft
    known = row.book if isinstance(row.book, CardState) else CardState()
    grant = known.grant
    each = grant.points // known.cards if grant.points else card.points
    if not grant.points:
        grant = pinned(draft, granting.versions, Grant(None, {}, grant.qualified, grant.window), draft.occurred_at)
    deserved = Deserved([RuleShare(card.id, each * cards)] if cards else [])
    row.book = CardState(granting.bring(row, grant, deserved), cards, book.before, book.every)
    draft.keys[row.key] = row


def _row(draft: Draft, card: Card, first: int) -> KeyRow:
    standing = draft.standing
    key = BusinessKey(standing.program, SOURCE, "stamp_card", f"{standing.member}/{card.id}/{first}")
    known = draft.row(key)
    return (
        KeyRow(key, standing.member, known.book, known.lots)
        if known is not None
        else KeyRow(key, standing.member, CardState())
    )
