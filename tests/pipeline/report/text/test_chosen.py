"""What a user chooses of a report is shown, and nothing else; what is not there is told."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors.problems import ConfigError
from pipeline.report.text.chosen import SORT_KEYS, Choice, only_heads, render_chosen
from tests.pipeline.report.text.samples import (
    entry,
    figure,
    gate,
    head,
    judgement,
    report,
    verdict,
    with_baseline,
)

OVERALL = entry({"roc_auc": figure(0.8, 0.75, 0.85), "average_loss": 0.3, "f1": 0.5}, 100)
SLICES = [
    entry({"roc_auc": figure(0.7, 0.6, 0.75), "average_loss": 0.4, "f1": 0.25}, 20, a="x"),
    entry({"roc_auc": figure(0.9, 0.85, 0.95), "average_loss": 0.1, "f1": None}, 70, a="y"),
    entry({"roc_auc": figure(None), "average_loss": 0.2, "f1": 0.75}, 5, small=True, a="x", b="z"),
    entry({"roc_auc": figure(0.6, no_interval="few rows"), "average_loss": 0.5}, 9, b="z"),
]
FOUND = report(head([OVERALL, *SLICES]))


def shown(found: Any = FOUND, **choice: Any) -> list[str]:
    return render_chosen(found, Choice(**choice)).splitlines()


def names(lines: list[str]) -> list[str]:
    """The slices of a table, without overall."""
    rows = [line[2:].rpartition("  ")[0] for line in lines if "=" in line]
    return [row.split("   ")[0].split("  ")[0] for row in rows]


def test_a_metric_is_shown_in_every_slice_with_its_interval() -> None:
    assert shown(metrics=["roc_auc"], sort="examples") == [
        "no gates asked; 2 rows evaluated of 2 read, 1 head",
        "",
        "h  (binary, unweighted)  roc_auc",
        "             rows   value   interval  difference from overall",
        "  overall     100  0.8000  0.75-0.85",
        "  a=y          70  0.9000  0.85-0.95                   0.1000",
        "  a=x          20  0.7000  0.60-0.75                  -0.1000",
        "  b=z           9  0.6000                             -0.2000",
        "  a=x, b=z*     5       -",
        "  - is undefined: no reason",
        "  no interval: few rows",
        "  * is a slice of fewer rows than min_slice_size",
    ]


def test_a_metric_of_two_models_is_shown_with_both() -> None:
    parts = [
        with_baseline(part, {"f1": 0.5}, {"f1": figure(value, -0.5, 0.25)}, flip_rate=value)
        for part, value in ((OVERALL, 0.0), (SLICES[0], -0.25))
    ]
    found = report(head(parts, worse=[], causes=[]))
    assert shown(found, metrics=["f1"])[3:] == [
        "           rows   value  baseline  difference       interval",
        "  overall   100  0.5000    0.5000      0.0000  -0.50 to 0.25",
        "  a=x        20  0.2500    0.5000     -0.2500  -0.50 to 0.25",
    ]
    # A metric of both models together has no other side.
    assert shown(found, metrics=["flip_rate"])[3:] == [
        "           rows    value",
        "  overall   100   0.0000",
        "  a=x        20  -0.2500",
    ]


def test_several_metrics_are_columns() -> None:
    lines = shown(metrics=["f1", "average_loss"])
    assert lines[3].split() == ["rows", "f1", "average_loss"]
    assert lines[4].split() == ["overall", "100", "0.5000", "0.3000"]
    assert len(names(lines)) == len(SLICES)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["a=x"], ["a=x", "a=x, b=z*"]),
        (["b=z"], ["b=z", "a=x, b=z*"]),
        (["b=z", "a=x"], ["a=x, b=z*"]),
    ],
)
def test_slices_of_conditions_are_shown_below_overall(
    asked: list[str], expected: list[str]
) -> None:
    lines = shown(conditions=asked)
    assert sorted(names(lines)) == sorted(expected)
    assert any(line.startswith("  overall") for line in lines)


@pytest.mark.parametrize(
    ("key", "metric", "expected"),
    [
        # The worst first: low areas, high losses. What is undefined is last.
        ("value", "roc_auc", ["b=z", "a=x", "a=y", "a=x, b=z*"]),
        ("value", "average_loss", ["b=z", "a=x", "a=x, b=z*", "a=y"]),
        ("difference", "average_loss", ["b=z", "a=x", "a=x, b=z*", "a=y"]),
        ("value", "f1", ["a=x", "a=x, b=z*", "a=y", "b=z"]),
        ("examples", "f1", ["a=y", "a=x", "b=z", "a=x, b=z*"]),
        ("slice", "f1", ["a=x", "a=x, b=z*", "a=y", "b=z"]),
        ("worst", "roc_auc", ["a=x", "a=y", "b=z", "a=x, b=z*"]),
        (None, "roc_auc", ["a=x", "a=y", "b=z", "a=x, b=z*"]),
    ],
)
def test_slices_are_sorted_by_a_key(key: str | None, metric: str, expected: list[str]) -> None:
    assert names(shown(metrics=[metric], sort=key)) == expected


def test_a_difference_from_the_baseline_is_sorted_by_before_that_from_overall() -> None:
    parts = [
        with_baseline(entry({"f1": value}, **place), {}, {"f1": figure(difference)})
        for value, difference, place in (
            (0.5, 0.0, {}),
            (0.1, 0.2, {"a": "x"}),
            (0.9, -0.3, {"a": "y"}),
        )
    ]
    found = report(head(parts, worse=[], causes=[]))
    assert names(shown(found, metrics=["f1"], sort="difference")) == ["a=y", "a=x"]


def test_no_slice_is_left_out() -> None:
    slices = [entry({"f1": 0.5}, a=str(number)) for number in range(300)]
    found = report(head([entry({"f1": 0.5}), *slices], slices_left_out=7))
    for choice in ({"metrics": ["f1"]}, {"sort": "slice"}):
        lines = shown(found, **choice)
        assert len(names(lines)) == 300
        assert lines[-1] == "  and 7 more slices in metrics.parquet"


def test_heads_are_chosen_by_name() -> None:
    other = head([entry({"rmse": 2.0})], type="regression")
    both = report(head([OVERALL, *SLICES]), other)
    assert list(only_heads(both, ["h1"])["heads"]) == ["h1"]
    assert only_heads(both, [])["heads"].keys() == {"h", "h1"}
    # A head that has none of the metrics, or of the slices, is left out.
    assert not any("h1" in line for line in shown(both, metrics=["f1"]))
    assert not any("h1" in line for line in shown(both, conditions=["a=x"]))
    assert sum("h1" in line for line in shown(both, metrics=["rmse", "f1"])) == 1


def test_the_verdict_stands_above() -> None:
    gates = verdict(gate({"metric": "f1"}, judgement("pass", "none", [])))
    assert render_chosen(FOUND, Choice(sort="worst"), gates, ["x"]).startswith("PASS: 1 gate; ")
    assert Choice(heads=["h"]).of_figures is False


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (
            {"metrics": ["roc-auc"]},
            "--metric 'roc-auc': the report has none; did you mean 'roc_auc'?",
        ),
        (
            {"metrics": ["f1", "zz"]},
            "'zz': the report has none; there are: average_loss, f1, roc_auc",
        ),
        ({"conditions": ["a=xx"]}, "--slice 'a=xx': the report has none; did you mean 'a=x'?"),
        ({"conditions": ["a=y", "b=z"]}, "'a=y, b=z': the report has no slice of all of them"),
        ({"sort": "vlaue"}, "'vlaue': slices cannot be sorted by it; did you mean 'value'?"),
        ({"sort": "zz"}, f"cannot be sorted by it; choose from {', '.join(SORT_KEYS)}"),
    ],
)
def test_what_is_not_there_is_told(choice: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        shown(**choice)
    assert said in str(error.value)


def test_a_head_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="--head 'hh': the report has none; did you mean 'h'"):
        only_heads(FOUND, ["hh"])
