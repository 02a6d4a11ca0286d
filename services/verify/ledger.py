"""The ledger: an own reading of point events (plain JSON) and an own fold, checked event by event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from services.verify.findings import Report

Event = Mapping[str, Any]

SIGNS = {
    "earned": 1,
    "restored": 1,
    "adjusted": 1,
    "imported": 1,
    "expired_reversed": 1,
    "forgiven": 1,
    "reinstated": 1,
    "transferred_in": 1,
    "transferred_out": -1,
    "reversed": -1,
    "redeemed": -1,
    "expired": -1,
    "reverted": -1,
}
"""What each gross counter means for available + pending - deficit."""

CLAIM_GIVEN = frozenset({"tallystick.claim.given.v1", "tallystick.claim.given.v2"})
"""The causes of what comes with a member whose id was claimed."""

HELD = ("available", "pending", "deficit")
MAY_FALL = frozenset({"adjusted", "transferred_in", "transferred_out"})
"""Adjustments have a sign, and what is owed is transferred as less; every other counter only grows."""


@dataclass
class Redemption:
    """What a redemption was decided to be, in which decision, and what of it came back."""

    decision: int
    points: int = 0
    restored: int = 0


@dataclass
class Account:
    """A member as the postings alone make them: balances by summing up, and the events that were seen.

    `lots` are what remains of each, and whether it is pending; `in_lots` their sums. `merged`: another member's keys
    came with their points, so what a key was worth is not all in this member's events.
    """

    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*HELD, *SIGNS), 0))
    sequence: int = 0
    decision: int = 0
    tier: str | None = None
    worth: dict[tuple[str, str, str], int] = field(default_factory=dict)
    lots: dict[int, tuple[int, bool]] = field(default_factory=dict)
    in_lots: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    redemptions: dict[tuple[str, str], Redemption] = field(default_factory=dict)
    merged: bool = False


@dataclass
class Shard:
    """One shard's events so far: its accounts, and the hash of the bytes of every position."""

    number: int
    report: Report
    position: int = 0
    hashes: bytearray = field(default_factory=bytearray)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    causes: set[tuple[str, int, int, str, str]] = field(default_factory=set)

    def take(self, value: bytes) -> Event:
        """Check and fold the bytes of the next position; gives the event."""
        data: Event = json.loads(value)["data"]
        self.position += 1
        where = f"shard {self.number} position {self.position}"
        self.report.checked["point events"] += 1
        self.report.expect("I7", where, "position", found=data.get("position"), expected=self.position)
        self.report.expect("I14", where, "chain", found=data.get("chain", ""), expected=self._last_hash())
        self.hashes += blake2b(value, digest_size=16).digest()
        self._take_cause(where, data)
        key = (data["program"], data["member"])
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Account()
        _fold(account, data, f"{where} ({key[0]}/{key[1]})", self.report)
        return data

    def hash_at(self, position: int) -> bytes:
        """The hash of the bytes at a position taken before."""
        return bytes(self.hashes[(position - 1) * 16 : position * 16])

    def _last_hash(self) -> str:
        return self.hash_at(self.position - 1).hex() if self.position > 1 else ""

    def _take_cause(self, where: str, data: Event) -> None:
        """A fact is told in the first event of its decision, and only once."""
        if data.get("fact") is None or not (cause := data["cause"]).get("topic"):
            return
        # In a log made anew another fact may lie where one lay that was decided.
        fact = (cause.get("source", ""), cause.get("id", ""))
        record = (cause["topic"], cause.get("partition", -1), cause.get("offset", -1), *fact)
        if record in self.causes:
            self.report.add("I2", where, f"the fact of record {record[:3]} was decided before")
        self.causes.add(record)


def _fold(account: Account, data: Event, where: str, report: Report) -> None:
    postings = data.get("postings", {})
    report.expect("I1", where, "the sum of the postings", found=sum(postings.values()), expected=0)
    account.sequence += 1
    report.expect("I7", where, "sequence", found=data["sequence"], expected=account.sequence)
    if data["decision"] < account.decision:
        report.add("I7", where, f"decision {data['decision']} comes after {account.decision}")
    account.decision = data["decision"]
    _move(account.sums, postings, where, report)
    _compare(account.sums, data["balances"], where, report)
    account.merged = account.merged or data["cause"]["type"] in CLAIM_GIVEN
    _take_worth(account, data, where, report)
    _take_lots(account, data, where, report)
    _take_redemption(account, data, where, report)
    if data.get("after") is not None:
        account.tier = data["after"]


def _move(sums: dict[str, int], postings: Mapping[str, int], where: str, report: Report) -> None:
    """Postings have the sign of the books: what is held grows with plus, where it came from with minus."""
    for name, amount in postings.items():
        if name in ("available", "pending"):
            sums[name] += amount
        elif name == "deficit":
            sums[name] -= amount
        elif name in SIGNS:
            grown = -amount * SIGNS[name]
            sums[name] += grown
            if grown < 0 and name not in MAY_FALL:
                report.add("I7", where, f"{name} went back by {-grown}")
        else:
            report.add("I1", where, f"nobody knows the account {name}")


def _compare(sums: Mapping[str, int], balances: Mapping[str, int], where: str, report: Report) -> None:
    for name, amount in sums.items():
        report.expect("I1", where, name, found=balances.get(name, 0), expected=amount)
    held = sums["available"] + sums["pending"] - sums["deficit"]
    report.expect("I1", where, "what is held", found=held, expected=sum(sums[n] * sign for n, sign in SIGNS.items()))
    if sums["available"] < 0:
        report.add("I6", where, f"available is {sums['available']}")
    if sums["deficit"] > 0 and sums["available"] != 0:
        report.add("I13", where, f"deficit is {sums['deficit']} while {sums['available']} are available")


def _take_worth(account: Account, data: Event, where: str, report: Report) -> None:
    """What a business key is worth never falls below zero: nothing is taken back that wasn't given."""
    key = data.get("key")
    postings = data.get("postings", {})
    if key is None or not ("earned" in postings or "reversed" in postings):
        return
    if account.merged:
        return
    name = (key["source"], key["kind"], key["id"])
    account.worth[name] = account.worth.get(name, 0) - postings.get("earned", 0) - postings.get("reversed", 0)
    if account.worth[name] < 0:
        report.add("I2", where, f"{name} is worth {account.worth[name]}: more was taken back than given")


def _take_lots(account: Account, data: Event, where: str, report: Report) -> None:
    """Every point that is held lies in one lot: their sums are the balances, and none falls below zero."""
    for told in data.get("lots", ()):
        lot, pending = told["lot"], told.get("pending", False)
        before, was_pending = account.lots.get(lot, (0, pending))
        remaining = before + told["change"]
        report.expect("I1", where, f"what remains of lot {lot}", found=told["remaining"], expected=remaining)
        if remaining < 0:
            report.add("I6", where, f"lot {lot} has {remaining} points")
        account.in_lots[was_pending] -= before
        account.in_lots[pending] += remaining
        account.lots[lot] = (remaining, pending)
    for name, pending in (("available", False), ("pending", True)):
        expected = account.sums[name]
        report.expect("I1", where, f"the sum of lots {name}", found=account.in_lots[pending], expected=expected)


def _take_redemption(account: Account, data: Event, where: str, report: Report) -> None:
    """A redemption is decided once, and no more of it comes back than it took."""
    if account.merged or "redemption" not in data or (key := data.get("key")) is None:
        return
    name, postings = (key["source"], data["redemption"]), data.get("postings", {})
    known = account.redemptions.get(name)
    if "redeemed" not in postings and "reason" not in data:  # a cancel
        restored = data.get("made_up_for_forgiven", 0) - postings.get("restored", 0)
        if known is None or known.restored + restored > known.points:
            report.add("I2", where, f"more of redemption {name} comes back than it took")
        else:
            known.restored += restored
        return
    if known is not None and known.decision != data["decision"]:
        report.add("I2", where, f"redemption {name} was decided before")
    known = account.redemptions.setdefault(name, Redemption(data["decision"]))
    known.points += postings.get("redeemed", 0)
