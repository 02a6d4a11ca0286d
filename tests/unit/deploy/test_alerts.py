"""The alerting rules: each metric they name is exposed, and each runbook they link to is there and names them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from services.earning.background.backlog import Backlog
from services.earning.metrics import Metrics
from services.projections.metrics import Metrics as ProjectionsMetrics
from shared.telemetry import Readiness
from tests.chaos.runbook import RUNBOOKS, anchor_of, sections

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "deploy" / "alerts.yaml"
FUNCTIONS = {"sum", "max", "by", "rate", "unless"}
BY_PROMETHEUS = {"up"}
WORD = re.compile(r"[a-z_][a-z0-9_]*")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def exposed() -> dict[str, set[str]]:
    """Metric, as it is written in a query → its labels: all that both services expose."""
    earning, projections = CollectorRegistry(), CollectorRegistry()
    meters = (
        Metrics(earning),
        Readiness(earning),
        Backlog("", earning, asyncio.Event()),
        ProjectionsMetrics(projections),
    )
    assert all(meters)
    found: dict[str, set[str]] = {}
    for registry in (earning, projections):
        for collector, names in registry._collector_to_names.items():
            found |= {name: set(getattr(collector, "_labelnames", ())) for name in names}
    return found


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_names_metrics_and_labels_that_are_exposed(rule: dict[str, Any]) -> None:
    query = re.sub(r'"[^"]*"|\[\w+\]', "", rule["expr"])
    metrics = {word for word in WORD.findall(query) if word.startswith("tallystick_")} | (
        BY_PROMETHEUS & set(WORD.findall(query))
    )
    assert metrics
    known = exposed()
    assert metrics - known.keys() <= BY_PROMETHEUS
    labels = set(WORD.findall(query)) - metrics - FUNCTIONS
    by_us = set().union(*(known.get(metric, {"job"}) for metric in metrics))
    assert labels <= by_us
    told = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert told <= by_us | {"instance", "job"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_and_links_to_a_runbook_that_names_it(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert said["summary"].endswith(".")
    assert len(said["description"]) > len("nothing")
    assert rule["labels"]["severity"] in {"page", "ticket"}
    file, _, anchor = said["runbook_url"].partition("#")
    assert ROOT / file == RUNBOOKS
    assert anchor in sections()
    assert f"`{rule['alert']}`" in RUNBOOKS.read_text("utf-8")


def test_alerts_that_runbooks_name_exist() -> None:
    named = set(re.findall(r"`(Tallystick[A-Z]\w+)`", RUNBOOKS.read_text("utf-8")))
    assert named == {rule["alert"] for rule in rules()}


def test_links_within_the_runbooks_and_to_other_pages_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", RUNBOOKS.read_text("utf-8")):
        file, _, anchor = target.partition("#")
        page = (RUNBOOKS.parent / file).resolve() if file else RUNBOOKS
        assert page.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
            assert anchor in {anchor_of(heading) for heading in headings}, target
