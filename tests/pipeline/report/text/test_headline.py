"""Which metrics and slices are shown first."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.report.main_metrics import HIGHER_IS_BETTER
from pipeline.report.text.headline import (
    MOST_METRICS,
    gated_metrics,
    main_metrics,
    worst_first,
)
from pipeline.slicing.names import slice_name
from tests.pipeline.report.text.samples import (
    cause,
    conditions,
    entry,
    figure,
    gate,
    head,
    judgement,
    verdict,
)
from tests.pipeline.tables import plan_of

MANY = ["accuracy", "auc", "average_loss", "brier_score", "precision", "recall", "roc_auc"]
AT_THRESHOLDS = ["precision/positive_threshold_0.5", "recall/positive_threshold_0.25", "auc/cat"]


def metrics_of(names: list[str], asked: tuple[str, ...] = (), **more: Any) -> list[str]:
    return main_metrics(head([entry(dict.fromkeys(names, 0.5))], **more), asked)


def test_a_short_headline_is_shown_whole() -> None:
    assert metrics_of(["f2", "auc", "accuracy", "x/y"]) == ["accuracy", "f2", "auc", "x/y"]


def test_of_a_long_headline_what_others_say_is_left_out() -> None:
    first = [name for name in HIGHER_IS_BETTER if name in MANY]
    assert metrics_of([*MANY, *AT_THRESHOLDS]) == first
    assert metrics_of([*MANY, *AT_THRESHOLDS, "mine"]) == [*first, "mine"]
    # What is there at thresholds alone is shown at these.
    without = [name for name in MANY if name != "recall"]
    classes = [f"auc/{i}" for i in range(9)]
    at_thresholds = metrics_of([*without, *AT_THRESHOLDS, *classes])
    assert at_thresholds[-1] == "recall/positive_threshold_0.25"
    assert set(without) - {"auc"} == set(at_thresholds[:-1])


def test_what_is_asked_for_comes_first() -> None:
    names = [*MANY, *AT_THRESHOLDS, *(f"m{number}" for number in range(20))]
    causes = [cause(b="x") | {"first": {"metric": name}} for name in ("m7", "m8")]
    found = metrics_of(names, ("m3", "nowhere", "m3"), causes=causes)
    assert found[:4] == ["m3", "m7", "roc_auc", "average_loss"]
    assert len(found) == MOST_METRICS
    # A metric that a gate names may not be one of the headline.
    assert metrics_of(["auc", "f2"], ("f2",), headline=["auc"]) == ["f2", "auc"]


def test_gates_ask_for_what_does_not_pass() -> None:
    places = {"auc": "pass", "recall": "fail", "f1": "undecided"}
    effects = {"pass": "none", "fail": "fail", "undecided": "warn"}
    gates = [
        gate({"metric": name, "at_least": 0.5}, judgement(outcome, effects[outcome], []))
        for name, outcome in places.items()
    ]
    assert gated_metrics(verdict(*gates), "h") == ["recall", "f1"]
    assert gated_metrics(verdict(*gates), "other") == gated_metrics(None, "h") == []


def order_of(slices: dict[str, Any], gates: Any = None, **more: Any) -> list[str]:
    overall = entry({"auc": 0.5, "recall": figure(0.8, 0.7, 0.9), "average_loss": 0.5}, 1000)
    parts = [
        entry({"auc": 0.5, "recall": metric}, rows, b=b) for b, (metric, rows) in slices.items()
    ]
    found = head([overall, *parts], **more)
    entries = worst_first(found, gates, "h", ["auc", "recall", "average_loss"])
    return [slice_name(part["slice"]).removeprefix("b=") for part in entries]


SLICES = {
    "as good": (figure(0.8, 0.7, 0.9), 50),
    "worse": (figure(0.7, 0.65, 0.75), 10),
    "better": (figure(0.95, 0.9, 0.99), 40),
    "much worse": (figure(0.5, 0.3, 0.6), 20),
    "by chance": (figure(0.1, 0.0, 0.95), 30),
    "undefined": (figure(None), 5),
    "no interval": (figure(0.1, no_interval="few"), 4),
}


def test_slices_that_are_worse_beyond_noise_come_first_then_those_of_most_rows() -> None:
    rest = ["as good", "better", "by chance", "undefined", "no interval"]
    assert order_of(SLICES) == ["much worse", "worse", *rest]


def test_slices_of_gates_and_causes_come_before_them() -> None:
    failed = [
        judgement("fail", "fail", conditions(b="better"), margin=-0.1),
        judgement("fail", "fail", conditions(b="undefined"), margin=-0.2),
        judgement("fail", "fail", conditions(b="worse"), margin=-9) | {"head": "other"},
        judgement("pass", "none", conditions(b="worse"), margin=1),
    ]
    warned = judgement("fail", "fail", conditions(b="as good"), margin=-3)
    gates = verdict(
        gate({"metric": "auc"}, warned, severity="warn"), gate({"metric": "auc"}, *failed)
    )
    causes = [cause(b="no interval"), cause(b="better")]
    expected = ["undefined", "better", "as good", "no interval", "much worse", "worse", "by chance"]
    assert order_of(SLICES, gates, causes=causes) == expected


def test_the_difference_from_overall_is_used_where_it_is_known() -> None:
    """The interval of a difference is narrower than that of the slice."""
    wide = figure(0.7, 0.5, 0.85)
    sure = wide | {"against_overall": {"difference": figure(-0.1, -0.15, -0.05)}}
    assert order_of({"more rows": (wide, 99), "sure": (sure, 9)}) == ["sure", "more rows"]
    assert order_of({"more rows": (wide, 99), "sure": (wide, 9)}) == ["more rows", "sure"]


def test_less_is_better_of_a_loss() -> None:
    parts = [
        entry({"average_loss": figure(value, value - 0.1, value + 0.1)}, rows, b=str(value))
        for value, rows in ((0.2, 30), (0.9, 10), (0.5, 20))
    ]
    overall = entry({"average_loss": figure(0.5, 0.4, 0.6)})
    found = worst_first(head([overall, *parts]), None, "h", ["average_loss"])
    assert [part["slice"][0]["value"] for part in found] == ["0.9", "0.2", "0.5"]


def test_small_slices_are_never_sure() -> None:
    low = figure(0.1, 0.0, 0.2)
    parts = [entry({"recall": low}, 9, small=True, b="small"), entry({"recall": 0.8}, 10, b="x")]
    found = worst_first(head([entry({"recall": 0.8}), *parts]), None, "h", ["recall"])
    assert [part["examples"] for part in found] == [10, 9]


HEADS = {
    "binary": "logits: s, label: y",
    "contrib_binary": "logits: s, label: y",
    "multi_class": "logits: s, label: y, n_classes: 3",
    "multi_label": "logits: s, label: {column: y, form: multi_hot}, n_classes: 3",
    "regression": "prediction: s, label: y",
    "poisson": "prediction: s, label: y",
    "logistic_regression": "logits: s, label: y",
}


@pytest.mark.parametrize("kind", HEADS)
def test_the_good_directions_are_those_of_the_metrics(kind: str) -> None:
    plan = plan_of(f"heads: {{h: {{type: {kind}, {HEADS[kind]}}}}}").heads["h"]
    metrics = plan.models[0].metrics
    shared = HIGHER_IS_BETTER.keys() & metrics.keys()
    assert len(shared) > 2
    for name in shared:
        assert metrics[name].higher_is_better == HIGHER_IS_BETTER[name]
