"""Thresholds of a report give, when they are configured, the figures that the report promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.metrics.core.number_names import distinct_names
from pipeline.evaluate import evaluate
from pipeline.report.report_json import report_bytes
from tests.pipeline.tables import law, plan_of

DEMANDS = {
    "recall": [0, 0.5, 0.9, 1],
    "precision": [0, 0.6, 1],
    "specificity": [0, 0.9, 1],
    "false_positive_rate": [0, 0.1, 1],
}
AT = "at: {" + ", ".join(f"{rate}: {demands}" for rate, demands in DEMANDS.items()) + "}"
NOTHING = "at: {recall: [], precision: [], specificity: [], false_positive_rate: []}"
RATES = {
    "recall": ("precision", "precision_at_recall"),
    "precision": ("recall", "recall_at_precision"),
    "specificity": ("recall", "sensitivity_at_specificity"),
    "false_positive_rate": ("recall", "recall_at_false_positive_rate"),
}
SCALES = {"threshold": "thresholds", "logit_threshold": "logit_thresholds"}
ENDINGS = {"threshold": "positive_threshold", "logit_threshold": "positive_logit_threshold"}


POINTS = [f"{rate}_{demand:g}" for rate, demands in DEMANDS.items() for demand in demands]
# All that a report says of thresholds, but the curves.
TOLD = [
    "best_f1",
    *(f"{scale}_at_{point}" for scale in SCALES for point in ("best_f1", *POINTS)),
    *(f"{RATES[rate][1]}_{d:g}" for rate, demands in DEMANDS.items() for d in demands),
]


class Promise(NamedTuple):
    """Figures that a threshold in a report stands for.

    Attributes:
        place: the position of the slice, and the path of the metrics in it.
        scale: `threshold` or `logit_threshold`.
        value: the threshold.
        figures: the values by name of the metric without its ending.
        weighted: whether rows count by their weights.
        suffix: what the names of the metrics end with after the threshold.
        demand: the metric that must be as demanded, and the demand; None where nothing is demanded.
    """

    place: tuple[int, str | None]
    scale: str
    value: float
    figures: dict[str, float]
    weighted: bool = True
    suffix: str = ""
    demand: tuple[str, float] | None = None

    @property
    def names(self) -> set[str]:
        return {*self.figures, *(() if self.demand is None else self.demand[:1])}


def read_back(table: pa.Table, text: str) -> dict[str, Any]:
    """The head of a report that was written and read."""
    report = json.loads(report_bytes(evaluate(table, plan_of(text)).report))
    head: dict[str, Any] = report["heads"]["h"]
    return head


def models(head: dict[str, Any]) -> Iterator[tuple[tuple[int, str | None], dict[str, Any]]]:
    for position, entry in enumerate(head["slices"]):
        yield (position, None), entry
        if "baseline" in entry:
            yield (position, "baseline"), entry["baseline"]


def promises(head: dict[str, Any]) -> Iterator[Promise]:
    for place, entry in models(head):
        metrics = entry["metrics"]
        for weighted in (True, False):
            values = {
                name: (metric if weighted else metric.get("unweighted", {"value": None}))["value"]
                for name, metric in metrics.items()
            }
            for name, value in values.items():
                scale, _, at = name.partition("_at_")
                if scale in SCALES and value is not None:
                    figures, wanted = {"f1": values.get("best_f1")}, None
                    if at != "best_f1":
                        demanded, _, demand = at.rpartition("_")
                        rate, best = RATES[demanded]
                        figures = {rate: values[f"{best}_{demand}"]}
                        wanted = demanded, float(demand)
                    yield Promise(place, scale, value, figures, weighted, demand=wanted)
        curves = {"": entry.get("curves", {})}
        curves |= {f"/{name}": of_class for name, of_class in entry.get("class_curves", {}).items()}
        for suffix, points in curves.items():
            for curve in ("roc", "precision_recall"):
                columns = points.get(curve, {})
                for scale in SCALES:
                    others = {name: columns[name] for name in columns if name not in SCALES}
                    if head["type"] == "multi_label":
                        others.pop("false_positive_rate", None)
                    for i, value in enumerate(columns.get(scale, [])):
                        if value is not None:
                            figures = {name: column[i] for name, column in others.items()}
                            yield Promise(place, scale, value, figures, True, suffix)


def check_promises(table: pa.Table, keys: str, more: str = "", rel: float = 1e-12) -> int:
    """Configures every threshold of a report, and returns how many there are."""
    # Curves of classes are shown of the classes that metrics are named of.
    told = f", metrics: {TOLD}" if AT in keys else ""
    made = list(promises(read_back(table, f"heads: {{h: {{{keys}{told}}}}}\n{more}")))
    lists, endings = [], {}
    for scale, key in SCALES.items():
        wanted = sorted({promise.value for promise in made if promise.scale == scale})
        lists.append(f"{key}: {wanted!r}")
        for value, name in zip(wanted, distinct_names(wanted), strict=True):
            endings[scale, value] = f"{ENDINGS[scale]}_{name}"
    names = {"average_loss"}
    for promise in made:
        ending = endings[promise.scale, promise.value] + promise.suffix
        names |= {f"{name}/{ending}" for name in promise.names}
    lists.append(f"metrics: {sorted(names)}")
    again = f"heads: {{h: {{{keys.replace(AT, NOTHING)}, {', '.join(lists)}}}}}\n{more}"
    entries = dict(models(read_back(table, again)))
    for promise in made:
        metrics = entries[promise.place]["metrics"]
        ending = endings[promise.scale, promise.value] + promise.suffix
        found = {name: metrics[f"{name}/{ending}"] for name in promise.names}
        actual = {
            name: (metric if promise.weighted else metric["unweighted"])["value"]
            for name, metric in found.items()
        }
        for name, value in promise.figures.items():
            assert actual[name] == pytest.approx(value, rel=rel, abs=rel), (promise, name)
        if promise.demand is not None:
            name, demand = promise.demand
            short = demand - actual[name]
            assert (-short if name == "false_positive_rate" else short) <= rel, promise
    return len(made)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draws logits and probabilities of one kind, labels, weights and groups."""
    n = draw(st.integers(2, 25))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    logits = draw(
        st.sampled_from(
            [
                st.integers(-20, 20).map(lambda i: i / 10),
                st.floats(-50, 50),
                st.floats(-50, 50, width=32),
                st.integers(0, 20).map(lambda i: 97 + i / 10),
                st.sampled_from([-900.0, -800.0, -745.0, 0.0, 36.0, 36.7, 36.8, 40.0]),
            ]
        )
    )
    shares = draw(
        st.sampled_from(
            [
                st.integers(0, 100).map(lambda i: i / 100),
                st.floats(0, 1),
                st.integers(0, 12).map(lambda i: 1 - i * 2.0**-53),
                st.sampled_from([0.0, 5e-324, 1e-300, 0.5, 1.0, 1 - 2.0**-53]),
            ]
        )
    )
    single = draw(st.booleans())
    dtype = np.float32 if single else np.float64
    return pa.table(
        {
            "s": np.array(column(logits), dtype),
            "p": np.array(column(shares), dtype),
            "y": [0, 1, *column(st.integers(0, 1))[2:]],
            "w": column(st.sampled_from([0.0, 0.25, 1.0, 3.0])),
            "g": column(st.sampled_from(["a", "b"])),
        }
    )


SLICES = "slices: [{column: g, values: [a, b]}]\nconfidence: {folds: 0}"


@pytest.mark.parametrize("head", ["binary", "contrib_binary"])
@settings(law, max_examples=15)
@given(tables(), st.booleans(), st.booleans())
def test_thresholds_give_the_promised_figures(
    head: str, table: pa.Table, weighted: bool, swapped: bool
) -> None:
    scores = ("logits: s", "probability: p")[:: -1 if swapped else 1]
    keys = f"type: {head}, {scores[0]}, label: y, baseline: {{{scores[1]}}}, {AT}"
    keys += ", weight: w" if weighted else ""
    # TensorFlow 1.x adds 1e-7 to a denominator, which may be a weight of 0.25.
    check_promises(table, keys, SLICES, rel=1e-12 if head == "binary" else 1e-6)


@pytest.mark.parametrize("scores", ["logits", "probability"])
@settings(law, max_examples=6)
@given(data=st.data())
def test_curves_of_several_classes(scores: str, data: st.DataObject) -> None:
    table = data.draw(tables())
    stored = table["s" if scores == "logits" else "p"].to_numpy()
    label = table["y"].to_numpy()
    lists = {
        "t": list(np.stack([stored, stored[::-1]], 1)),
        "y": list(np.stack([label, 1 - label], 1)),
    }
    table = pa.table({**lists, "g": table["g"]})
    keys = f"type: multi_label, n_classes: 2, {scores}: t, label: {{column: y, form: multi_hot}}"
    check_promises(table, f"{keys}, class_names: [cat, dog]", SLICES)


@pytest.mark.parametrize(
    ("scores", "middle", "told"),
    [("logits: s", 0.0, 1000), ("logits: s", 30.0, 400), ("probability: p", 0.0, 1000)],
)
def test_more_scores_than_cells(scores: str, middle: float, told: int) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, 18_000)
    p = 1 / (1 + np.exp(-z))
    # Around 30, many logits are one float64 as probabilities.
    table = pa.table({"s": z + middle, "p": p, "y": (rng.random(18_000) < p).astype(np.int64)})
    keys = f"type: binary, {scores}, label: y, {AT}"
    text = f"heads: {{h: {{{keys}}}}}\nconfidence: {{folds: 0}}"
    assert read_back(table, text)["slices"][0]["score_rounding"] > 0
    assert check_promises(table, keys, "confidence: {folds: 0}") > told
