"""Every key of `report.json` is told in docs/report.md, and no other is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.cli.demo import DEMO
from pipeline.config.load import load_config
from pipeline.evaluate import evaluate
from pipeline.evaluation.plan import make_plan
from pipeline.report.report_json import report_bytes
from pipeline.report.report_layout import parse_report
from tests.pipeline.tables import plan_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "report.md").read_text()
TABLE = r"^\| key of (.+?) \| .+ \|\n\|---\|---\|\n((?:\|.+\n)+)"
ROW = r"^\| ((?:`\w+`(?:, )?)+) \| .+ \|$"

# What scores of a thousand values, bad rows, and slices against overall are needed for.
ROUNDED = """
max_bad_rows: 5
against_overall: true
slices: [{column: g, values: [a]}]
min_slice_size: 10
heads:
  h: {type: binary, probability: q, label: y, weight: w, baseline: {probability: p},
    metrics: [accuracy, roc_auc, precision_at_recall_0.9, flip_rate]}
  many: {type: multi_class, n_classes: 3, logits: s, label: c, weight: w, metrics: [accuracy]}
  number: {type: regression, prediction: p, label: y, metrics: [mse]}
"""


@cache
def told() -> dict[str, set[str]]:
    """The keys that the page has a line for, by what the head of their table says they are of."""
    return {
        what: {
            key
            for names in re.findall(ROW, rows, re.MULTILINE)
            for key in re.findall(r"\w+", names)
        }
        for what, rows in re.findall(TABLE, PAGE, re.MULTILINE)
    }


def keys_of_metric(metric: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "a metric", metric
    compared = metric.get("against_overall", {})
    for inner in (metric.get("unweighted"), *compared.values()):
        if inner is not None:
            yield from keys_of_metric(inner)


def keys_of_model(model: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for metric in model["metrics"].values():
        yield from keys_of_metric(metric)
    details = {"curves", "class_curves", "confusion_matrix", "weighted_confusion_matrix"}
    details |= {"most_confused", "score_rounding"}
    yield "the details", {key: model[key] for key in details & model.keys()}
    for curves in (model.get("curves", {}), *model.get("class_curves", {}).values()):
        yield "`curves`", curves
        for name in curves.keys() - {"calibration"}:
            yield f"`{name}`", curves[name]
        for calibration_bin in curves.get("calibration", ()):
            yield "a bin of `calibration`", calibration_bin
    for pair in model.get("most_confused", ()):
        yield "an entry of `most_confused`", pair


def mappings(report: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every mapping of a report whose keys are those of the layout, with what it is."""
    yield "the report", report
    yield "`rows`", report["rows"]
    for head in report["heads"].values():
        yield "a head", head
        for entry in head.get("worse", ()):
            yield "an entry of `worse`", entry
        for cause in head.get("causes", ()):
            yield "a cause", cause
            yield "`first`", cause["first"]
        for entry in head["slices"]:
            for condition in entry["slice"]:
                yield "an entry of `slice`", condition
            yield from keys_of_model(entry)
            details = told()["the details"]
            yield "a slice", {key: value for key, value in entry.items() if key not in details}
            if "baseline" in entry:
                yield from keys_of_model(entry["baseline"])
            for name in ("difference", "both"):
                for metric in entry.get(name, {}).values():
                    yield from keys_of_metric(metric)


@cache
def report_of(name: str) -> dict[str, Any]:
    """The report of a demo, or the one that has what those have not."""
    if name != "rounded":
        config = load_config(ROOT / "configs" / f"{name}.yaml")
        inputs = [str(ROOT / pattern) for pattern in config.input or ()]
        return evaluate(inputs, make_plan(config)).report
    rng = np.random.default_rng(0)
    n = 17_000
    p = rng.random(n)
    columns = {
        "p": p,
        "q": np.where(rng.random(n) < 0.5, p, rng.random(n)),
        "y": np.where(np.arange(n) < 3, 5, rng.random(n) < p),
        "w": rng.random(n),
        "g": np.where(np.arange(n) % 3 == 0, "a", "b"),
        "s": list(rng.normal(size=(n, 3))),
        "c": rng.integers(0, 3, n),
    }
    return evaluate(pa.table(columns), plan_of(ROUNDED)).report


REPORTS = (*DEMO, "rounded")


@pytest.mark.parametrize("name", REPORTS)
def test_every_key_of_a_report_is_told(name: str) -> None:
    for what, mapping in mappings(report_of(name)):
        assert mapping.keys() <= told()[what], what


def test_every_key_that_is_told_is_one_of_a_report() -> None:
    seen: dict[str, set[str]] = {}
    for report in map(report_of, REPORTS):
        for what, mapping in mappings(report):
            seen.setdefault(what, set()).update(mapping)
    assert seen == told()


def test_what_is_seen_is_all_that_the_layout_has() -> None:
    # A report with a key that the layout does not know is refused when it is read.
    for report in map(report_of, REPORTS):
        parse_report(report_bytes(report))
    assert report_of("rounded")["heads"]["h"]["bad_rows"] == {"out_of_range:y": 3}
