"""Errors, correlation and discrimination of probabilities, and the weights of labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error

from heads.metrics.core.context import HeadType
from heads.metrics.core.registry import report_metrics
from heads.statistics import Scored
from tests.heads.metrics import class_rows
from tests.heads.metrics.samples import make_context, random_sample, result, scored

CORRELATION, DISCRIMINATION = "squared_correlation", "coefficient_of_discrimination"


def value(name: str, rows: Scored, head: HeadType = "binary") -> float:
    metric = report_metrics(make_context(head, weighted=rows.weight is not None))[name]
    found, reason = result(metric, rows)
    assert reason is None
    return found


def expected(rows: Scored) -> dict[str, float]:
    """The definitions, of a row after another."""
    p, y = rows.probability.ravel(), rows.label.ravel()
    w = np.ones(len(y)) if rows.weight is None else rows.weight
    covariance = np.cov(p, y, aweights=w)
    of_positive, of_zero = np.average(p, weights=w * y), np.average(p, weights=w * (1 - y))
    return {
        "mean_absolute_error": mean_absolute_error(y, p, sample_weight=w),
        CORRELATION: covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1]),
        DISCRIMINATION: of_positive - of_zero,
        f"relative_{DISCRIMINATION}": of_positive / of_zero,
        "weight": w.sum(),
        "weight/positive": w[y > 0].sum(),
        "weight/negative": w[y == 0].sum(),
    }


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("soft", [True, False])
def test_definitions(weighted: bool, soft: bool) -> None:
    score, label, weight = random_sample(0, 200, weighted=weighted)
    if soft:
        label[::3] = np.linspace(0, 1, len(label[::3]))
    rows = scored(score, label, weight)
    for name, wanted in expected(rows).items():
        assert value(name, rows) == pytest.approx(wanted, rel=1e-12), name
        assert value(name, rows, "contrib_binary") == pytest.approx(wanted, rel=1e-12), name


def test_the_correlation_is_that_of_scipy() -> None:
    score, label, _ = random_sample(1, 100, weighted=False)
    rows = scored(score, label)
    wanted = pearsonr(rows.probability.ravel(), label).statistic ** 2
    assert value(CORRELATION, rows) == pytest.approx(wanted, rel=1e-12)


def test_probabilities_that_are_nearly_equal_and_nearly_right() -> None:
    label = np.array([0.0, 1.0, 0.0, 1.0])
    # The distance of the means is known to 1e-16, hence their ratio to the spread to 1e-10.
    near = replace(
        scored(label, label), probability=0.3 + 1e-6 * np.array([[0.0], [1.0], [1.0], [3.0]])
    )
    x = np.array([0.0, 1.0, 1.0, 3.0])
    wanted = np.corrcoef(x, label)[0, 1] ** 2
    assert value(CORRELATION, near) == pytest.approx(wanted, rel=1e-4)
    right = replace(near, probability=np.array([[1e-9], [1 - 1e-9], [3e-9], [1 - 3e-9]]))
    assert value(CORRELATION, right) == pytest.approx(1, rel=1e-12)
    assert value("mean_absolute_error", right) == pytest.approx(2e-9, rel=1e-7)


@pytest.mark.parametrize(
    ("label", "probability", "name", "reason"),
    [
        ([1, 1], [0.5, 0.6], DISCRIMINATION, "no label is zero"),
        ([0, 0], [0.5, 0.6], f"relative_{DISCRIMINATION}", "no label is positive"),
        (
            *([0, 1], [0, 0.5], f"relative_{DISCRIMINATION}"),
            "the probabilities of zero labels sum to zero",
        ),
        ([1, 1], [0.5, 0.6], CORRELATION, "all labels are the same"),
        ([0.3, 0.3], [0.5, 0.6], CORRELATION, "all labels are the same"),
        ([0, 1], [0.3, 0.3], CORRELATION, "the probabilities are all nearly the same"),
        ([0, 1], [1e-300, 1e-300], CORRELATION, "the probabilities are all nearly the same"),
    ],
)
def test_undefined(label: list[float], probability: list[float], name: str, reason: str) -> None:
    rows = replace(scored([0, 0], label), probability=np.array(probability)[:, np.newaxis])
    assert result(report_metrics(make_context())[name], rows)[1] == reason


def test_no_weight_has_no_value() -> None:
    rows = scored([1, 2], [0, 1], [0.0, 0.0])
    metrics = report_metrics(make_context(weighted=True))
    for name in ("mean_absolute_error", CORRELATION):
        assert result(metrics[name], rows)[1] == "the weights sum to zero"
    assert result(metrics["weight"], rows) == (0, None)


@pytest.mark.parametrize("head", ["multi_class", "multi_label"])
@pytest.mark.parametrize("weighted", [True, False])
def test_weights_of_classes(head: HeadType, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    if head == "multi_class":
        rows = class_rows.exclusive(rng, 30, (0, 1, 2, 3), (0, 1, 2, 3))
        labelled = rows.label == np.arange(4)
    else:
        rows = class_rows.independent(rng, 30, 4, (0, 1, 0.5))
        labelled = rows.label != 0
    assert rows.weight is not None
    weight = rows.weight if weighted else np.ones(30)
    found = class_rows.values(head, rows, weighted=weighted)
    assert class_rows.defined(found, "weight") == pytest.approx(weight.sum(), rel=1e-13)
    by_class = {name: v for name, v in found.items() if name.startswith("weight/")}
    assert len(by_class) > 1
    for name in by_class:
        group = "abcd".index(name.removeprefix("weight/"))
        wanted = weight[labelled[:, group]].sum()
        assert class_rows.defined(found, name) == pytest.approx(wanted, rel=1e-13)
