"""A history of steps that ends in a difference, made as short as it can be and told readably."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from services.earning.program.terms import Program, Versions
from services.earning.source_events.facts import Fact
from tests.support.model.compare import differences, said_differently
from tests.support.model.core import Core
from tests.support.model.mailbox import Pair
from tests.support.model.naive import Naive

FORMS_MAX = 2_500


@dataclass(frozen=True)
class Step:
    """A fact that is delivered, a message that arrives, or (neither) time that comes for everybody."""

    at: datetime
    fact: Fact | None = None
    pair: Pair | None = None


def apply(model: Naive, core: Core, step: Step) -> list[str]:
    """One step to both; what differs after it."""
    if step.pair is not None:
        model.deliver(step.pair)
        core.deliver(step.pair)
        return differences(model, core)
    if step.fact is None:
        for member in sorted(model.members):
            model.advance(member, step.at)
            core.advance(member, step.at)
        # Where nothing is due the core's clock may stay: no decision can tell, for each moves it itself.
        return [line for line in differences(model, core) if " clock (" not in line]
    expected, actual = model.take(step.fact), core.take(step.fact)
    found = [] if expected == actual else [f"outcome: model {expected}, core {actual}"]
    if expected == actual == "applied":
        found += said_differently(model, core, step.fact.member)
    return found + differences(model, core)


def first_difference(versions: Versions, steps: list[Step]) -> tuple[int, list[str]]:
    """How many steps it takes until something differs, and what; none: no difference."""
    model, core = Naive(versions), Core(versions)
    for number, step in enumerate(steps, 1):
        try:
            found = apply(model, core, step)
        except Exception as error:  # noqa: BLE001 (a fall of either side is a difference like any other)
            found = [f"fell: {type(error).__name__}: {error}"]
        if found:
            return number, found
    return len(steps), []


def _kinds(found: list[str]) -> set[str]:
    return {line.split(":")[0].split("(")[-1] for line in found}


def shorten(versions: Versions, steps: list[Step]) -> tuple[Versions, list[Step], list[str]]:
    """Drop whatever can be dropped while a difference of the same kind remains."""
    end, found = first_difference(versions, steps)
    steps, kinds, tried = steps[:end], _kinds(found), 0
    while tried < FORMS_MAX:
        for smaller_versions, smaller in _smaller(versions, steps):
            tried += 1
            end, also = first_difference(smaller_versions, smaller)
            if _kinds(also) & kinds:
                versions, steps, found = smaller_versions, smaller[:end], also
                break
        else:
            break
    return versions, steps, found


def _smaller(versions: Versions, steps: list[Step]) -> list[tuple[Versions, list[Step]]]:
    forms = [(versions, steps[:i] + steps[i + 1 :]) for i in range(len(steps))]
    if len(versions.all) > 1:
        forms.append((Versions(versions.all[:1]), steps))
    forms += [(Versions(plain), steps) for plain in _plainer(versions)]
    for i, step in enumerate(steps):
        if step.fact is not None:
            forms += [
                (versions, [*steps[:i], Step(step.at, plain), *steps[i + 1 :]]) for plain in _plainer_facts(step.fact)
            ]
    return forms


def _plainer(versions: Versions) -> list[tuple[Program, ...]]:
    """The same program with one setting at its default, or one rule or campaign less."""
    forms: list[tuple[Program, ...]] = []
    first = versions.all[0]
    for name, default in _defaults(Program):
        if getattr(first, name) != default:
            forms.append(tuple(msgspec.structs.replace(program, **{name: default}) for program in versions.all))
    for name in ("campaigns", "activities", "cards"):
        forms += _without_one(versions, name)
    for i in range(len(first.rules) if len(versions.all) == 1 else 0):
        forms.append((msgspec.structs.replace(first, rules=first.rules[:i] + first.rules[i + 1 :]),))
        forms += [
            (msgspec.structs.replace(first, rules=(*first.rules[:i], plain, *first.rules[i + 1 :])),)
            for plain in _with_defaults(first.rules[i])
        ]
    forms += [
        tuple(msgspec.structs.replace(program, basis=plain) for program in versions.all)
        for plain in _with_defaults(first.basis)
    ]
    return forms


def _without_one(versions: Versions, name: str) -> list[tuple[Program, ...]]:
    """The same program with one entry of a list less, or (where there is one version) with one setting of it."""
    forms: list[tuple[Program, ...]] = []
    for i, entry in enumerate(getattr(versions.all[0], name)):
        kept = [(*getattr(program, name)[:i], *getattr(program, name)[i + 1 :]) for program in versions.all]
        both = zip(versions.all, kept, strict=True)
        forms.append(tuple(msgspec.structs.replace(program, **{name: entries}) for program, entries in both))
        for plain in _with_defaults(entry) if len(versions.all) == 1 else []:
            entries = (*kept[0][:i], plain, *kept[0][i:])
            forms.append((msgspec.structs.replace(versions.all[0], **{name: entries}),))
    return forms


def _plainer_facts(fact: Fact) -> list[Fact]:
    data: list[Any] = list(_with_defaults(fact.data))
    lines = getattr(fact.data, "lines", ())
    data += [msgspec.structs.replace(fact.data, lines=lines[:i] + lines[i + 1 :]) for i in range(len(lines))]
    data += [
        msgspec.structs.replace(fact.data, lines=(*lines[:i], plain, *lines[i + 1 :]))
        for i, line in enumerate(lines)
        for plain in _with_defaults(line)
    ]
    return [msgspec.structs.replace(fact, data=plain) for plain in data]


def _defaults(kind: type[msgspec.Struct]) -> list[tuple[str, Any]]:
    return [
        (field.name, field.default) for field in msgspec.structs.fields(kind) if field.default is not msgspec.NODEFAULT
    ]


def _with_defaults(value: Any) -> list[Any]:
    return [
        msgspec.structs.replace(value, **{name: default})
        for name, default in _defaults(type(value))
        if getattr(value, name) != default
    ]


def tell(value: Any) -> str:
    """A value without its defaults."""
    if isinstance(value, msgspec.Struct):
        defaults = dict(_defaults(type(value)))
        parts = [
            f"{name}={tell(getattr(value, name))}"
            for name in value.__struct_fields__
            if name not in defaults or getattr(value, name) != defaults[name]
        ]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(tell, value))}]"
    return str(value)


def report(versions: Versions, steps: list[Step]) -> str:
    """The shortest history found, told step by step, and what differs at its end."""
    versions, steps, found = shorten(versions, steps)
    told = [tell(program) for program in versions.all]
    for step in steps:
        if step.pair is not None:
            told.append(f"{' → '.join(step.pair)}: a message arrives")
        elif step.fact is None:
            told.append(f"{step.at.isoformat()} time passes")
        else:
            fact = step.fact
            told.append(
                f"{fact.received_at.isoformat()} ← {fact.member} at {fact.occurred_at.isoformat()}: {tell(fact.data)}"
            )
    return "\n".join([*told, *found])
