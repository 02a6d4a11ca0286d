"""`tallystick explain`: a balance down to lots, awards, rules, program version and order, out of the point events."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated

import asyncpg
import msgspec
import typer
from rich.text import Text
from rich.tree import Tree

from services.cli.connections import Dsn, Json, dsn_or_local, postgres
from services.cli.console import err, out, print_json
from services.cli.event_text import points, sentence
from services.cli.members import Member, Program, balance_of, equation, instant
from services.earning.ledger import query as books
from services.projections import query as read_models
from shared.point_events import EventData, Key, LotChange, RuleShare

Lots = Annotated[int, typer.Option("--lots", "-n", min=1, help="How many lots, those spent first at the top.")]


class LotLeft(msgspec.Struct, frozen=True):
    """A lot with points left, and the point events that made it what it is.

    Of one that `waits`, `releases_at` is when it will be spendable (empty: not known yet).
    """

    lot: int
    key: Key
    points: int
    remaining: int
    earned_at: str
    expires_at: str
    waits: bool
    releases_at: str
    events: list[EventData]


class Explanation(msgspec.Struct, frozen=True):
    """A member's balance, and the lots it lies in. `more` lots hold `more_points` and are not told one by one."""

    program: str
    member: str
    available: int
    pending: int
    deficit: int
    equation: str
    lots: list[LotLeft]
    more: int
    more_points: int

    @property
    def adds_up(self) -> bool:
        """Whether the lots hold exactly what the balance says."""
        return sum(lot.remaining for lot in self.lots) + self.more_points == self.available + self.pending


def explain(program: Program, member: Member, *, lots: Lots = 10, dsn: Dsn = "", as_json: Json = False) -> None:
    """Explain a balance: the lots it lies in, and the order, rules and program version that made each.

    Lots are listed in the order in which they would be spent. Everything is read from the journal's point events.

    Example: `tallystick explain grocer household-1 --lots 3`
    """
    found = asyncio.run(_explain(dsn_or_local(dsn), program, member, lots))
    if as_json:
        print_json(msgspec.to_builtins(found) | {"adds_up": found.adds_up})
        return
    print_explanation(found)


async def _explain(dsn: str, program: str, member: str, limit: int) -> Explanation:
    async with postgres(dsn, role="earning") as earning, postgres(dsn, role="projector") as projector:
        return await explanation(earning, projector, program, member, limit)


async def explanation(
    earning: asyncpg.Connection, projector: asyncpg.Connection, program: str, member: str, limit: int
) -> Explanation:
    """What a member's balance is made of, the first `limit` lots one by one.

    Raises:
        UnknownMemberError: there is no such member.
    """
    balance = await balance_of(projector, program, member)
    rows = await books.lots_of(earning, program, member)
    shown, rest = rows[:limit], rows[limit:]
    keys = [Key(row["source"], row["kind"], row["id"]) for row in shown]
    events = await _events(earning, projector, program, member, keys)
    return Explanation(
        program=program,
        member=member,
        available=balance.available,
        pending=balance.pending,
        deficit=balance.deficit,
        equation=equation(balance),
        lots=[
            LotLeft(
                lot=row["lot"],
                key=key,
                points=row["points"],
                remaining=row["remaining"],
                earned_at=instant(row["earned_at"]),
                expires_at=instant(row["expires_at"]),
                waits=row["waits"],
                releases_at=instant(row["releases_at"]),
                events=events[key],
            )
            for row, key in zip(shown, keys, strict=True)
        ],
        more=len(rest),
        more_points=sum(row["remaining"] for row in rest),
    )


async def _events(
    earning: asyncpg.Connection, projector: asyncpg.Connection, program: str, member: str, keys: Sequence[Key]
) -> dict[Key, list[EventData]]:
    """Each key's point events: history knows their positions, the journal their content."""
    positions = await read_models.positions_of_keys(projector, program, member, keys)
    found: dict[Key, list[EventData]] = defaultdict(list)
    for data in await books.events_at(earning, positions):
        if data.key is not None:
            found[data.key].append(data)
    return found


def print_explanation(found: Explanation) -> None:
    """The explanation as a tree for people."""
    tree = Tree(Text(f"{found.program}/{found.member}: {found.available:,} points available", style="bold"))
    tree.add(Text(found.equation))
    for lot in found.lots:
        _add_lot(tree, lot)
    if found.more:
        tree.add(Text(f"… and {found.more:,} further lots with {found.more_points:,} points (--lots shows more)"))
    out().print(tree)
    if not found.adds_up:
        err().print("The lots and the balance were read at different moments of a busy member: try again.")


def _add_lot(tree: Tree, lot: LotLeft) -> None:
    until = f"expires {lot.expires_at}" if lot.expires_at else "never expires"
    if lot.waits:
        until = f"pending until {lot.releases_at}" if lot.releases_at else "pending until its order is fulfilled"
    used = "" if lot.remaining == lot.points else f" of {lot.points:,}"
    head = f"lot {lot.lot}: {lot.remaining:,}{used} points, earned {lot.earned_at}, {until}"
    branch = tree.add(Text.assemble((head, "cyan"), f" — {lot.key.kind} {lot.key.id} of {lot.key.source}"))
    for event in lot.events:
        _add_event(branch, event, lot.lot)


def _add_event(branch: Tree, event: EventData, lot: int) -> None:
    changes: list[LotChange] = getattr(event, "lots", [])
    rules: list[RuleShare] = getattr(event, "rules", [])
    change = sum(each.change for each in changes if each.lot == lot)
    told = f"{instant(event.occurred_at)} {sentence(event, rules=False)}"
    here = f": {change:+,} here, balance {event.balances.available:,}"
    version = f", program version {event.program_version}" if event.program_version else ""
    leaf = branch.add(Text(f"{told}{here}{version}, position {event.shard}/{event.position}"))
    for share in rules:
        leaf.add(Text(_rule(share), style="dim"))


def _rule(share: RuleShare) -> str:
    if not share.rate:
        return f"{share.rule}: {points(share.points)}"
    factor = f" × {share.multiplier}" if share.multiplier not in {"", "1"} else ""
    raw = f" = {share.raw}" if share.raw else ""
    return f"{share.rule}: {share.basis} × {share.rate}{factor}{raw} → {points(share.points)}"
