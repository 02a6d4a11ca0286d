"""What `tallystick try` prints: sentences and tables for people, JSON lines for scripts (docs/reference/try.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.text import Text

from services.cli.console import out, print_json, print_table
from services.cli.convergence import Comparison, Difference
from services.cli.event_text import sentence
from services.earning.decide import Outcome
from services.earning.decide.deciding import key_of
from services.earning.ledger.memory import MemoryRows
from services.earning.simulate import Ruling, Run
from services.earning.source_events.facts import Fact
from services.earning.state.standing import Lot, Standing
from shared.errors import PermanentError
from shared.point_events import EventData
from shared.try_lines import ComparisonLine, CountsLine, DifferenceLine, FactLine, LotLine, MemberLine, UntilLine

DEAD_LETTER = "dead_letter"
_OUTCOMES = (*(outcome.value for outcome in Outcome), DEAD_LETTER)
_ROWS_MAX = 200
_MEMBER_COLUMNS = ("program", "member", "available", "pending", "deficit", "earned", "reversed", "tier", "until")
_LOT_COLUMNS = ("member", "lot", "from", "points", "remaining", "earned", "available from", "expires")
_STYLES = {Outcome.APPLIED: "green", Outcome.DUPLICATE: "dim", Outcome.REJECTED: "yellow"}


def print_lines(found: Run) -> None:
    """A run as JSON lines: `fact` for each input, `until` and `member` for each member, then `counts`."""
    for ruling in found.rulings:
        print_json(_fact_line(ruling))
    for (program, member), events in found.closing.items():
        print_json(UntilLine(program=program, member=member, events=[_event(event) for event in events]))
    for key, standing in sorted(found.rows.standings.items()):
        print_json(_member_line(standing, [lot for _, lot in sorted(found.rows.members[key].lots.items())]))
    print_json(_count(found.rulings))


def print_comparison_line(comparison: Comparison) -> None:
    """A comparison as the JSON line `comparison`."""
    print_json(
        ComparisonLine(
            check=comparison.check,
            same=not comparison.differences,
            seed=comparison.seed,
            differences=[_difference_line(difference) for difference in comparison.differences],
            first_come=[_difference_line(difference) for difference in comparison.first_come],
        )
    )


def print_run(found: Run) -> None:
    """A run for people: a line for each input and each point event, tables of members and lots, a sum that adds up."""
    for ruling in found.rulings:
        _print(_headline(ruling))
        for event in ruling.events:
            _print(_indented(event, ruling.arrival.fact))
        if ruling.dead_letter is not None:
            _print(Text(f"     {_why(ruling.dead_letter)}"))
    for (program, member), events in found.closing.items():
        _print(Text(f"until    {program}/{member}", style="bold"))
        for event in events:
            _print(_indented(event))
    _print_members(found.rows)
    counts = _count(found.rulings)
    parts = " + ".join(f"{getattr(counts, name):,} {name.replace('_', ' ')}" for name in _OUTCOMES)
    _print(Text(f"\n{counts.input:,} {'fact' if counts.input == 1 else 'facts'} = {parts}"))


def _print_members(rows: MemoryRows) -> None:
    """Two tables: members, and their lots that hold points."""
    _print(Text())
    members = sorted(rows.standings.items())
    _print_rows("Members", _MEMBER_COLUMNS, [_member_row(standing) for _, standing in members])
    _print(Text())
    held = [(key[1], lot) for key, _ in members for _, lot in sorted(rows.members[key].lots.items())]
    _print_rows("Lots that hold points", _LOT_COLUMNS, [_lot_row(*each) for each in held if each[1].remaining])


def print_comparison(comparison: Comparison) -> None:
    """A comparison for people: one line where all is the same; else a table of what is not."""
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
    """A table of at most `_ROWS_MAX` rows and how many are left out; nothing where there are none."""
    if not rows:
        return
    print_table(title, columns, rows[:_ROWS_MAX])
    if len(rows) > _ROWS_MAX:
        _print(Text(f"… and {len(rows) - _ROWS_MAX:,} more; --json has them all", style="dim"))


def _count(rulings: Iterable[Ruling]) -> CountsLine:
    """Inputs by outcome."""
    found = Counter(DEAD_LETTER if ruling.outcome is None else ruling.outcome.value for ruling in rulings)
    return CountsLine(input=found.total(), **{name: found[name] for name in _OUTCOMES})


def _fact_line(ruling: Ruling) -> FactLine:
    fact, refusal = ruling.arrival.fact, ruling.dead_letter
    line = FactLine(
        line=ruling.arrival.number,
        outcome=ruling.outcome or DEAD_LETTER,
        events=[_event(event) for event in ruling.events],
    )
    if isinstance(fact, Fact):
        line.type, line.id, line.source = fact.type, fact.id, fact.source
        line.program, line.member = fact.program, fact.member
        line.occurred_at, line.received_at = fact.occurred_at, fact.received_at
    if refusal is not None:
        line.reason, line.field, line.message, line.cure = refusal.reason, refusal.field, refusal.message, refusal.cure
    return line


def _event(event: EventData) -> dict[str, Any]:
    """An event as on the wire: its type, and its data without what the journal adds."""
    return {"type": event.TYPE, **msgspec.to_builtins(event, builtin_types=(datetime,))}


def _member_line(standing: Standing, lots: Iterable[Lot]) -> MemberLine:
    balances = msgspec.structs.asdict(standing.balances)
    return MemberLine(
        program=standing.program,
        member=standing.member,
        available=balances.pop("available"),
        pending=balances.pop("pending"),
        deficit=balances.pop("deficit"),
        lifetime=balances,
        tier=standing.tier,
        tier_until=standing.tier_until,
        qualifying=standing.qualifying,
        segments=standing.segments,
        joined_at=standing.joined_at,
        clock=standing.clock,
        lots=[_lot_line(lot) for lot in lots],
    )


def _lot_line(lot: Lot) -> LotLine:
    return LotLine(
        lot=lot.lot,
        kind=lot.key.kind,
        source=lot.key.source,
        id=lot.key.id,
        points=lot.points,
        remaining=lot.remaining,
        earned_at=lot.earned_at,
        available_at=lot.available_at,
        expires_at=lot.expires_at,
    )


def _difference_line(difference: Difference) -> DifferenceLine:
    (program, member), figure, first, second = difference
    return DifferenceLine(program=program, member=member, figure=figure, first=first, second=second)


def _headline(ruling: Ruling) -> Text:
    fact = ruling.arrival.fact
    outcome = ruling.outcome.value if ruling.outcome else "dead letter"
    style = _STYLES[ruling.outcome] if ruling.outcome else "red"
    about = "" if isinstance(fact, PermanentError) else f"{_time(fact.occurred_at)}  {_named(fact)}  "
    return Text(f"{ruling.arrival.number:<4} {about}").append(outcome, style=style)


def _named(fact: Fact) -> str:
    kind = fact.type.removeprefix("commerce.").removeprefix("loyalty.").removesuffix(".v1").replace(".", " ")
    return f"{kind} {fact.source}/{key_of(fact).id}  {fact.member}"


def _indented(event: EventData, fact: Fact | PermanentError | None = None) -> Text:
    """An event in words; of another member than the fact's, with their name."""
    whose = f"{event.member}: " if isinstance(fact, Fact) and fact.member != event.member else ""
    balances = event.balances
    parts = [f"available {balances.available:,}"]
    parts += [f"{name} {value:,}" for name in ("pending", "deficit") if (value := getattr(balances, name))]
    return Text(f"     {whose}{sentence(event)}").append(f"  [{', '.join(parts)}]", style="dim")


def _why(refusal: PermanentError) -> str:
    field = f" at {refusal.field}" if refusal.field and not refusal.message.startswith(refusal.field) else ""
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
