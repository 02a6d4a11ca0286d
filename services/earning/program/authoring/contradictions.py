"""Contradictions: settings that are each well written and can't be meant together.

They are looked for in the plain values, so that they are found beside mistakes of form elsewhere in the document; what
is not well formed here is left to the check of form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from pydantic_core import PydanticCustomError

from services.earning.program.authoring.source import Plain, Source
from services.earning.program.expressions import (
    GRANTS,
    ORDERS,
    ExpressionInvalidError,
    Visible,
    compiled,
    of_activity,
)
from services.earning.program.problems import Path, Problem
from services.earning.program.values import near, read_instant, read_money
from shared.money import MICROS, decimal

Group = dict[str, Plain]
_Value = TypeVar("_Value")

_GRANTS = {"review": "reviews", "referral": "referrals"}
"""Kinds of points beside orders' and activities' → the section that gives them."""

_WHOLE = {"points_earned": "points", "order_count": "orders"}
"""Measures of tiers that are counted, not paid → what is counted."""


def contradictions(source: Source) -> list[Problem]:
    """Everything in the document that can't be meant."""
    finder = _Finder(source)
    finder.find()
    return finder.problems


class _Finder:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._document: Group = source.values if isinstance(source.values, dict) else {}
        self.problems: list[Problem] = []

    def find(self) -> None:
        for kind in ("rules", "campaigns", "activities", "cards", "rewards"):
            self._unique(_groups(self._document, kind))
        self._unique(self._levels())
        for kind in ("rules", "campaigns"):
            for path, entry in _groups(self._document, kind):
                self._span(path, entry)
                self._lines(path, entry)
                self._tiers_known((*path, "when"), _group(entry, "when"))
                self._expression(path, entry, GRANTS if "activities" in entry else ORDERS)
        for path, rule in _groups(self._document, "rules"):
            self._rate_or_points(path, rule)
        self._activities()
        self._cards()
        referrals = self._document.get("referrals")
        if isinstance(referrals, dict) and not {"referrer", "referee"}.intersection(referrals):
            self._say(("referrals",), "nobody gets anything", "Add `referrer:` or `referee:` with points.")
        self._priorities()
        self._ladder()
        self._windows()
        for path, reward in _groups(self._document, "rewards"):
            self._tiers_known(path, reward)
        self._pending()
        self._expiry()
        self._caps()

    def _say(self, path: Path, message: str, cure: str, *, at_key: bool = False) -> None:
        mark = self._source.key_mark(path) if at_key else self._source.mark(path)
        self.problems.append(Problem(mark, path, message, cure))

    def _unique(self, entries: Iterable[tuple[Path, Group]]) -> None:
        seen: dict[str, Path] = {}
        for path, entry in entries:
            name = entry.get("id")
            if not isinstance(name, str):
                continue
            if name in seen:
                line = self._source.mark(seen[name]).line
                self._say(
                    (*path, "id"), f"`{name}` is the id of another one on line {line}", "Give it an id of its own."
                )
            seen.setdefault(name, path)

    def _rate_or_points(self, path: Path, rule: Group) -> None:
        if "rate" in rule and "points" in rule:
            cure = "Keep `rate` (points for each unit of money) or `points` (fixed); write two rules for both."
            self._say((*path, "points"), "the rule has both a rate and points", cure, at_key=True)
        if "rate" not in rule and "points" not in rule:
            cure = "Add `rate: 1` (points for each unit of money) or `points: 100` (fixed)."
            self._say(path, "the rule has neither a rate nor points", cure)

    def _span(self, path: Path, entry: Group) -> None:
        starts, ends = _read(read_instant, entry.get("from")), _read(read_instant, entry.get("until"))
        if starts is not None and ends is not None and ends <= starts:
            cure = f"Write an instant after `from` ({starts.isoformat()})."
            self._say((*path, "until"), "it ends before it starts" if ends < starts else "it ends as it starts", cure)

    def _lines(self, path: Path, entry: Group) -> None:
        only, exclusion = _group(entry, "only"), _group(entry, "except")
        for kind in ("categories", "skus"):
            kept = set(_words(only, kind)) - set(_words(exclusion, kind))
            if _words(only, kind) and not kept and not (set(only) - {kind}):
                cure = f"Take them out of `only.{kind}` or `except.{kind}`."
                self._say((*path, "except", kind), f"it excludes all {kind} that `only` names: no line is left", cure)

    def _tiers_known(self, path: Path, entry: Group) -> None:
        """Whether the tiers that are named at a path (its list `tiers`) are levels of the document."""
        known = [level["id"] for _, level in self._levels() if isinstance(level.get("id"), str)]
        for i, name in enumerate(_words(entry, "tiers")):
            if name not in known:
                cure = _meant(name, [*map(str, known)], "The levels are", "Add `tiers:` with its levels.")
                self._say((*path, "tiers", i), f"no tier is called `{name}`", cure)

    def _activities(self) -> None:
        for path, entry in _groups(self._document, "activities"):
            self._span(path, entry)
            self._tiers_known((*path, "when"), _group(entry, "when"))
            self._expression(path, entry, of_activity(_words(entry, "attributes")))
            if entry.get("id") in _GRANTS or entry.get("id") == "order":
                self._say((*path, "id"), f"`{entry['id']}` is a kind of its own", "Give the activity another id.")
            if entry.get("per_unit") is True and "points" not in entry:
                self._say((*path, "per_unit"), "there are no points to give", "Add `points:`.", at_key=True)
        for path, campaign in _groups(self._document, "campaigns"):
            for i, name in enumerate(_words(campaign, "activities")):
                self._grant_known((*path, "activities", i), name)
            if "activities" in campaign:
                self._of_orders_only(path, campaign)
        for path, level in self._levels():
            for name in _group(level, "activities"):
                self._grant_known((*path, "activities", name), name)

    def _of_orders_only(self, path: Path, campaign: Group) -> None:
        """Settings that a campaign for activities can't have."""
        cure = "Leave it out, or `activities`."
        for setting in ("only", "except", "minimum"):
            if setting in campaign:
                self._say((*path, setting), "activities have no lines and no amount", cure, at_key=True)
        follows = _words(campaign, "activities") == ["referral"]  # by an order, which has all of these
        for setting in ("channels", "stores", "first_order") if not follows else ():
            if setting in _group(campaign, "when"):
                message = "activities are no orders: they have no channel and no store, and are never the first"
                self._say((*path, "when", setting), message, cure, at_key=True)

    def _expression(self, path: Path, entry: Group, visible: Visible) -> None:
        text = _group(entry, "when").get("expression")
        if not isinstance(text, str):
            return
        try:
            compiled(text, visible)
        except ExpressionInvalidError as error:
            self._say((*path, "when", "expression"), error.message, error.cure)

    def _cards(self) -> None:
        kinds = [str(entry.get("id")) for _, entry in _groups(self._document, "activities")]
        for path, card in _groups(self._document, "cards"):
            if ("activity" in card) == ("orders" in card):
                cure = "Name an `activity`, or `orders: {}` for units of orders; write two cards for both."
                self._say(path, "it doesn't say what its stamps are, or says two things", cure)
            if ("points" in card) == ("reward" in card):
                self._say(path, "it is worth nothing, or two things", "Write `points:` or `reward:`.")
            kind = card.get("activity")
            if isinstance(kind, str) and kind not in kinds:
                cure = near(kind, kinds) or f"Add it: `activities: [{{id: {kind}}}]`."
                self._say((*path, "activity"), f"no activity is called `{kind}`", cure)
            units = _group(card, "orders")
            self._lines((*path, "orders"), units)

    def _grant_known(self, path: Path, name: str) -> None:
        """Whether something whose points are multiplied is given points anywhere in the document."""
        activities = [str(entry.get("id")) for _, entry in _groups(self._document, "activities")]
        known = [*activities, *(name for name, section in _GRANTS.items() if section in self._document)]
        if name not in known:
            cure = _meant(name, known, "There are", "Add `activities:` with its points.")
            self._say(path, f"no activity is called `{name}`", cure, at_key=isinstance(path[-1], str))

    def _priorities(self) -> None:
        if _group(self._document, "orders").get("stacking") == "first":
            return
        for path, rule in _groups(self._document, "rules"):
            if "priority" in rule:
                cure = "Write `stacking: first` under `orders:`, or leave `priority` out."
                self._say(
                    (*path, "priority"), "a priority changes nothing unless `stacking` is `first`", cure, at_key=True
                )

    def _levels(self) -> list[tuple[Path, Group]]:
        return [(("tiers", *path), level) for path, level in _groups(_group(self._document, "tiers"), "levels")]

    def _ladder(self) -> None:
        tiers = _group(self._document, "tiers")
        before: int | None = None
        for i, (path, level) in enumerate(self._levels()):
            threshold = _read(read_money, level.get("threshold", 0))
            if threshold is None:
                continue
            self._step((*path, "threshold"), first=i == 0, before=before, threshold=threshold)
            unit = _WHOLE.get(str(tiers.get("measure", "points_earned")))
            if unit and threshold % MICROS:
                cure = f"Write a whole number of {unit}, or `measure: spend` for money."
                self._say((*path, "threshold"), f"{decimal(threshold)} is not a whole number of {unit}", cure)
            if i == 0 and "entry_bonus" in level:
                cure = "Leave it out; an adjustment or a rule for the first order can welcome members."
                self._say((*path, "entry_bonus"), "nobody enters the level where everybody starts", cure, at_key=True)
            before = threshold

    def _windows(self) -> None:
        tiers = _group(self._document, "tiers")
        window = tiers.get("window", "lifetime")
        if window == "lifetime":
            message = "a lifetime window never ends, so nothing waits for its end"
            for name in ("grace_days", "fall", "open_refund"):
                self._idle(("tiers", name), message, "Leave it out, or write `window: calendar_year`.")
        if window == "rolling" and "months" not in tiers:
            self._say(("tiers", "window"), "a rolling window needs its length", "Add `months: 12` beside it.")
        if window != "rolling":
            message = "only a rolling window looks back over months"
            self._idle(("tiers", "months"), message, "Leave it out, or write `window: rolling`.")
        if len(self._levels()) == 1:
            for name in ("measure", "window"):
                message = "nothing is measured: the only level is where everybody starts"
                self._idle(("tiers", name), message, "Add a level with a threshold, or leave it out.")

    def _idle(self, path: tuple[str, str], message: str, cure: str) -> None:
        """Say that a setting changes nothing, where it is written."""
        group, name = path
        if name in _group(self._document, group):
            self._say(path, message, cure, at_key=True)

    def _pending(self) -> None:
        orders = _group(self._document, "orders")
        pending = orders.get("pending")
        if not isinstance(pending, dict):
            return
        path: Path = ("orders", "pending")
        if pending.get("after", "paid") == "paid" and "days" not in pending:
            self._say(path, "it doesn't say how long points wait", "Add `days: 14`, or `after: fulfilled`.")
        at_once = pending.get("after") == "fulfilled" and not pending.get("days", 0)
        if at_once and orders.get("award") == "fulfilled":
            message = "orders earn when they are fulfilled, so their points don't wait for it"
            self._say(path, message, "Add `days:` to it, or leave `pending` out.", at_key=True)

    def _expiry(self) -> None:
        expiry = _group(self._document, "expiry")
        mode = expiry.get("mode", "never")
        if mode == "never":
            message = "points never end, so months change nothing"
            self._idle(("expiry", "months"), message, "Add `mode: after_available` or `mode: inactivity`.")
        elif "months" not in expiry:
            self._say(("expiry", "mode"), "it doesn't say after how many months", "Add `months: 12` beside it.")

    def _caps(self) -> None:
        caps = _group(_group(self._document, "orders"), "caps")
        for narrow, wide in (
            ("order", "day"),
            ("order", "week"),
            ("order", "month"),
            ("day", "week"),
            ("day", "month"),
        ):
            less, more = caps.get(narrow), caps.get(wide)
            if isinstance(less, int) and isinstance(more, int) and less > more:
                message = f"the limit of the {wide} ({more}) is reached before that of the {narrow}"
                self._say(("orders", "caps", narrow), message, f"Write at most {more}, or leave it out.")
                return

    def _step(self, path: Path, *, first: bool, before: int | None, threshold: int) -> None:
        if first and threshold:
            cure = "Leave its threshold out; put a level for beginners before it if it must be reached."
            self._say(path, "the first level is where everybody starts, so it has no threshold", cure)
        if not first and before is not None and threshold <= before:
            cure = f"Write a number above {decimal(before)}, or put the levels in order, lowest first."
            self._say(path, f"{decimal(threshold)} is not above the level before", cure)


def _group(group: Group, key: str) -> Group:
    value = group.get(key)
    return value if isinstance(value, dict) else {}


def _groups(group: Group, key: str) -> Iterator[tuple[Path, Group]]:
    value = group.get(key)
    for i, entry in enumerate(value if isinstance(value, list) else []):
        if isinstance(entry, dict):
            yield (key, i), entry


def _words(group: Group, key: str) -> list[str]:
    value = group.get(key)
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _read(reader: Callable[[Plain], _Value], value: Plain) -> _Value | None:
    """A value as its reader takes it; None: it is not well formed."""
    with suppress(PydanticCustomError):
        return reader(value)
    return None


def _meant(name: str, known: Sequence[str], listed: str, cure: str) -> str:
    """What to write instead of an unknown name: one like it, or any of those known; where there are none, `cure`."""
    names = ", ".join(f"`{one}`" for one in known)
    return near(name, known) or (f"{listed} {names}." if known else cure)
