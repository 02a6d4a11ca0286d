"""What `tallystick try` prints: sentences and tables for people, JSON lines for scripts (docs/reference/try.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from rich.text import Text

from services.cli.console import out, print_json, print_table
from services.cli.rearrange import Comparison, Difference
from services.cli.words import sentence
from services.earning.decide import Outcome
from services.earning.simulate import Ledger, MemberKey, Ruling
from services.earning.source_events.facts import Fact
from services.earning.standing import Lot, Standing
from shared.errors import PermanentError
from shared.point_events import EventData

DEAD_LETTER = "dead_letter"
_ROWS_MAX = 200
_MEMBER_COLUMNS = ("program", "member", "available", "pending", "deficit", "earned", "reversed", "tier", "until")
_LOT_COLUMNS = ("member", "lot", "from", "points", "remaining", "earned", "available from", "expires")
_STYLES = {Outcome.APPLIED: "green", Outcome.DUPLICATE: "dim", Outcome.REJECTED: "yellow"}


class Report(Protocol):
    """One way to print a run, part by part, in this order."""

    def rulings(self, rulings: Sequence[Ruling]) -> None:
        """What became of each input."""

    def closing(self, closing: Mapping[MemberKey, Sequence[EventData]]) -> None:
        """What bringing the members up to an instant led to."""

    def members(self, ledger: Ledger) -> None:
        """Where every member stands."""

    def counts(self, rulings: Sequence[Ruling]) -> None:
        """How many inputs there were, by outcome."""

    def comparison(self, comparison: Comparison) -> None:
        """Whether a second run ended the same."""


class JsonReport:
    """JSON lines; each has a field `record` that says what it is."""

    def rulings(self, rulings: Sequence[Ruling]) -> None:
        """A line `fact` for each input."""
        for ruling in rulings:
            print_json({"record": "fact", "line": ruling.arrival.number, **_about(ruling), **_result(ruling)})

    def closing(self, closing: Mapping[MemberKey, Sequence[EventData]]) -> None:
        """A line `until` for each member to whom something became due."""
        for (program, member), events in closing.items():
            told = [_event(event) for event in events]
            print_json({"record": "until", "program": program, "member": member, "events": told})

    def members(self, ledger: Ledger) -> None:
        """A line `member` for each member."""
        for key, standing in sorted(ledger.standings.items()):
            lots = [_lot(lot) for _, lot in sorted(ledger.lots.get(key, {}).items())]
            print_json({"record": "member", **_state(standing), "lots": lots})

    def counts(self, rulings: Sequence[Ruling]) -> None:
        """The line `counts`."""
        print_json({"record": "counts", **count(rulings)})

    def comparison(self, comparison: Comparison) -> None:
        """A line `comparison`."""
        seed = {} if comparison.seed is None else {"seed": comparison.seed}
        told = {
            name: [
                {
                    "program": d.member[0],
                    "member": d.member[1],
                    "figure": d.figure,
                    "first": d.first,
                    "second": d.second,
                }
                for d in found
            ]
            for name, found in (("differences", comparison.differences), ("first_come", comparison.first_come))
        }
        same = not comparison.differences
        print_json({"record": "comparison", "check": comparison.check, **seed, "same": same, **told})


class TextReport:
    """Sentences and tables."""

    def rulings(self, rulings: Sequence[Ruling]) -> None:
        """A line for each input, and one for each point event below it."""
        for ruling in rulings:
            _print(_headline(ruling))
            for event in ruling.events:
                _print(_indented(event))
            if ruling.dead_letter is not None:
                _print(Text(f"     {_why(ruling.dead_letter)}"))

    def closing(self, closing: Mapping[MemberKey, Sequence[EventData]]) -> None:
        """What became due, by member."""
        for (program, member), events in closing.items():
            _print(Text(f"until    {program}/{member}", style="bold"))
            for event in events:
                _print(_indented(event))

    def members(self, ledger: Ledger) -> None:
        """Two tables: members, and their lots that hold points."""
        _print(Text())
        members = sorted(ledger.standings.items())
        _print_rows("Members", _MEMBER_COLUMNS, [_member_row(standing) for _, standing in members])
        _print(Text())
        held = [(key[1], lot) for key, _ in members for _, lot in sorted(ledger.lots.get(key, {}).items())]
        _print_rows(
            "Lots that hold points", _LOT_COLUMNS, [_lot_row(member, lot) for member, lot in held if lot.remaining]
        )

    def counts(self, rulings: Sequence[Ruling]) -> None:
        """One line that adds up."""
        counts = count(rulings)
        total = counts.pop("input")
        parts = " + ".join(f"{number:,} {outcome.replace('_', ' ')}" for outcome, number in counts.items())
        _print(Text(f"\n{total:,} facts = {parts}"))

    def comparison(self, comparison: Comparison) -> None:
        """One line where all is the same; else a table of what is not."""
        how = "every fact repeated" if comparison.check == "duplicate" else f"shuffled by seed {comparison.seed}"
        if comparison.differences:
            _print(Text(f"again, {how}: the end differs", style="red"))
            _print_differences("Differences", comparison.differences)
        else:
            _print(Text(f"again, {how}: the end is the same", style="green"))
        if comparison.first_come:
            _print_differences("First come, first served: these met another tier or first order", comparison.first_come)


def _print_differences(title: str, differences: Sequence[Difference]) -> None:
    columns = ("program", "member", "figure", "first run", "second run")
    _print_rows(title, columns, [(*d.member, d.figure, str(d.first), str(d.second)) for d in differences])


def _print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table of at most `_ROWS_MAX` rows, with a line that says how many are left out."""
    print_table(title, columns, rows[:_ROWS_MAX])
    if len(rows) > _ROWS_MAX:
        _print(Text(f"… and {len(rows) - _ROWS_MAX:,} more; --json has them all", style="dim"))


def count(rulings: Iterable[Ruling]) -> dict[str, int]:
    """Inputs by outcome; applied + duplicate + rejected + dead_letter = input."""
    found = Counter(DEAD_LETTER if ruling.outcome is None else ruling.outcome.value for ruling in rulings)
    return {"input": found.total()} | {name: found[name] for name in (*(o.value for o in Outcome), DEAD_LETTER)}


def _about(ruling: Ruling) -> dict[str, object]:
    fact = ruling.arrival.fact
    if isinstance(fact, PermanentError):
        return {}
    return {
        "type": fact.type,
        "id": fact.id,
        "source": fact.source,
        "program": fact.program,
        "member": fact.member,
        "occurred_at": fact.occurred_at,
        "received_at": fact.received_at,
    }


def _result(ruling: Ruling) -> dict[str, object]:
    refusal = ruling.dead_letter
    if refusal is None:
        return {"outcome": ruling.outcome, "events": [_event(event) for event in ruling.events]}
    said = {"reason": refusal.reason, "field": refusal.field, "message": refusal.message, "cure": refusal.cure}
    return {"outcome": DEAD_LETTER, **{name: text for name, text in said.items() if text}}


def _event(event: EventData) -> dict[str, Any]:
    """An event as on the wire: its type, and its data without what the journal adds."""
    return {"type": event.TYPE, **msgspec.to_builtins(event, builtin_types=(datetime,))}


def _state(standing: Standing) -> dict[str, object]:
    balances = {name: getattr(standing.balances, name) for name in standing.balances.__struct_fields__}
    held = ("available", "pending", "deficit")
    return {
        "program": standing.program,
        "member": standing.member,
        **{name: balances[name] for name in held},
        "lifetime": {name: points for name, points in balances.items() if name not in held},
        "tier": standing.tier,
        "tier_until": standing.tier_until,
        "qualifying": standing.qualifying,
        "segments": standing.segments,
        "joined_at": standing.joined_at,
        "clock": standing.clock,
    }


def _lot(lot: Lot) -> dict[str, object]:
    return {
        "lot": lot.lot,
        "kind": lot.key.kind,
        "source": lot.key.source,
        "id": lot.key.id,
        "points": lot.points,
        "remaining": lot.remaining,
        "earned_at": lot.earned_at,
        "available_at": lot.available_at,
        "expires_at": lot.expires_at,
    }


def _headline(ruling: Ruling) -> Text:
    fact = ruling.arrival.fact
    outcome = ruling.outcome.value if ruling.outcome else "dead letter"
    style = _STYLES[ruling.outcome] if ruling.outcome else "red"
    about = "" if isinstance(fact, PermanentError) else f"{_time(fact.occurred_at)}  {_named(fact)}  "
    return Text(f"{ruling.arrival.number:<4} {about}").append(outcome, style=style)


def _named(fact: Fact) -> str:
    kind = fact.type.removeprefix("commerce.").removeprefix("loyalty.").removesuffix(".v1").replace(".", " ")
    name = getattr(fact.data, "order_id", fact.id)
    return f"{kind} {fact.source}/{name}  {fact.member}"


def _indented(event: EventData) -> Text:
    balances = event.balances
    parts = [f"available {balances.available:,}"]
    parts += [f"{name} {value:,}" for name in ("pending", "deficit") if (value := getattr(balances, name))]
    return Text(f"     {sentence(event)}").append(f"  [{', '.join(parts)}]", style="dim")


def _why(refusal: PermanentError) -> str:
    field = f" at {refusal.field}" if refusal.field else ""
    return f"{refusal.reason}{field}: {refusal.message}. {refusal.cure}".rstrip()


def _member_row(standing: Standing) -> tuple[object, ...]:
    b = standing.balances
    until = _time(standing.tier_until) if standing.tier_until else ""
    held = (b.available, b.pending, b.deficit, b.earned, b.reversed)
    return (standing.program, standing.member, *held, standing.tier, until)


def _lot_row(member: str, lot: Lot) -> tuple[object, ...]:
    origin = f"{lot.key.kind} {lot.key.source}/{lot.key.id}"
    available = _time(lot.available_at) if lot.available_at else "pending"
    expires = _time(lot.expires_at) if lot.expires_at else "never"
    return (member, lot.lot, origin, lot.points, lot.remaining, _time(lot.earned_at), available, expires)


def _time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}Z"


def _print(text: Text) -> None:
    out().print(text, soft_wrap=True)
