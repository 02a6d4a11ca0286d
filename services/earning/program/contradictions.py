"""Contradictions: settings that are each well written and can't be meant together.

They are looked for in the plain values, so that they are found beside mistakes of form elsewhere in the document; what
is not well formed here is left to the check of form.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic_core import PydanticCustomError

from services.earning.program.problems import Path, Problem
from services.earning.program.source import Plain, Source
from services.earning.program.values import near, read_instant, read_money
from shared.money import MICROS, decimal

Group = dict[str, Plain]


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
        for kind in ("rules", "campaigns"):
            entries = list(_groups(self._document, kind))
            self._unique(entries)
            for path, entry in entries:
                self._span(path, entry)
                self._lines(path, entry)
                self._tiers_known(path, entry)
        for path, rule in _groups(self._document, "rules"):
            self._rate_or_points(path, rule)
        self._priorities()
        self._ladder()

    def _say(self, path: Path, message: str, cure: str, *, at_key: bool = False) -> None:
        mark = self._source.key_mark(path) if at_key else self._source.mark(path)
        self.problems.append(Problem(mark, path, message, cure))

    def _unique(self, entries: list[tuple[Path, Group]]) -> None:
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
        starts, ends = _instant(entry.get("from")), _instant(entry.get("until"))
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
        known = [level["id"] for _, level in self._levels() if isinstance(level.get("id"), str)]
        for i, name in enumerate(_words(_group(entry, "when"), "tiers")):
            if name in known:
                continue
            names = ", ".join(f"`{tier}`" for tier in known)
            cure = near(name, map(str, known)) or (
                f"The levels are {names}." if known else "Add `tiers:` with its levels."
            )
            self._say((*path, "when", "tiers", i), f"no tier is called `{name}`", cure)

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
        self._unique(self._levels())
        before: int | None = None
        for i, (path, level) in enumerate(self._levels()):
            threshold = _money(level.get("threshold", 0))
            if threshold is None:
                continue
            self._step((*path, "threshold"), first=i == 0, before=before, threshold=threshold)
            if tiers.get("measure", "points_earned") == "points_earned" and threshold % MICROS:
                cure = "Write a whole number of points, or `measure: spend` for money."
                self._say((*path, "threshold"), f"{decimal(threshold)} is not a whole number of points", cure)
            before = threshold
        if tiers.get("window", "lifetime") == "lifetime":
            for name in ("grace_days", "fall"):
                if name in tiers:
                    cure = "Leave it out, or write `window: calendar_year`."
                    self._say(
                        ("tiers", name), "a lifetime window never ends, so nothing falls at its end", cure, at_key=True
                    )

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


def _instant(value: Plain) -> datetime | None:
    try:
        return read_instant(value)
    except PydanticCustomError:
        return None


def _money(value: Plain) -> int | None:
    try:
        return read_money(value)
    except PydanticCustomError:
        return None
