"""Bounds: whatever was rounded, what the scores themselves give is between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.metrics.core.context import HeadType, MetricContext
from heads.metrics.core.curve_thresholds import NO_LOGIT, NO_PROBABILITY
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import report_metrics
from heads.metrics.core.score_curve import CurveMetric
from heads.metrics.macro_roc_auc import MacroArea
from heads.metrics.operating_points import UNKNOWN
from heads.statistics import Scored, ScoreHistogram, Segments, State
from heads.statistics.cuts import ScoreKind, ScoreSpace
from heads.statistics.measure import measure_state
from tests.heads.metrics.samples import law, make_context, sigmoid

Floats = npt.NDArray[np.float64]
# Both bounds are moved outwards by the rounding of sums, and the exact value has its own.
ROUNDING = 1e-11
# Whether there is such a float depends on the scores themselves.
NO_FLOAT = (NO_PROBABILITY, NO_LOGIT)
KINDS: tuple[ScoreKind, ...] = ("logits", "probabilities")


def histogram_metrics(head: HeadType, kind: ScoreKind, weighted: bool) -> dict[str, Metric]:
    """The metrics that are read from a score histogram."""
    context = make_context(head, weighted=weighted, space=ScoreSpace(kind))
    metrics = report_metrics(context)
    return {name: m for name, m in metrics.items() if isinstance(m.statistic, ScoreHistogram)}


def rows_of(score: Floats, label: Floats, weight: Floats | None, kind: ScoreKind) -> Scored:
    probability = sigmoid(score) if kind == "logits" else score
    return Scored(score, probability, label, np.zeros(len(score)), weight, kind=kind)


def measure(statistic: ScoreHistogram, rows: Scored) -> State:
    return measure_state(statistic, rows, Segments.overall(len(rows)))


def check(metrics: dict[str, Metric], rows: Scored, max_cells: int) -> None:
    """Compares the bounds in few cells with the values in as many cells as there are scores."""
    statistic = next(iter(metrics.values())).statistic
    assert isinstance(statistic, ScoreHistogram)
    exact = measure(replace(statistic, max_cells=1 << 20), rows)
    assert exact.shift == 0
    rounded = measure(replace(statistic, max_cells=max_cells), rows)
    for name, metric in metrics.items():
        true, seen = metric.compute(exact), metric.compute(rounded)
        bounds = metric.bounds(rounded, seen.value)
        assert bounds is not None
        lowest, highest = float(bounds[0][0]), float(bounds[1][0])
        if seen.reason(0) is None:
            assert lowest <= seen.value[0] <= highest, name
        if seen.reason(0) is None and true.reason(0) is None:
            assert lowest - ROUNDING <= true.value[0] <= highest + ROUNDING, name
        elif seen.reason(0) != UNKNOWN and true.reason(0) not in (None, *NO_FLOAT):
            assert seen.reason(0) == true.reason(0), name
        same = metric.bounds(exact, true.value)
        assert same is not None
        assert same[0].tolist() == same[1].tolist() == true.value.tolist(), name


@st.composite
def crowded(draw: st.DrawFn, kind: ScoreKind, columns: int = 1) -> Scored:
    """Draws rows whose scores crowd at a few places, some of them at the ends of the scale."""
    n = draw(st.integers(2, 25))
    step = st.integers(0, 6).map(lambda k: k * 2.0**-40)
    if kind == "logits":
        centre = st.sampled_from([-3.0, 0.0, 1.0, 40.0])
    else:
        centre = st.sampled_from([0.0, 1e-9, 0.25, 0.5, 0.75, 1 - 1e-9, 1 - 2.0**-30, 1.0])
    size = n * columns
    places = draw(st.lists(st.tuples(centre, step), min_size=size, max_size=size))
    score = np.array([c + s if c < 0.9 or kind == "logits" else c - s for c, s in places])
    label = np.array(draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)), np.float64)
    weights = st.lists(st.sampled_from([0.1, 1.0, 3.0, 700.0]), min_size=n, max_size=n)
    weight = draw(st.none() | weights.map(np.array))
    shape = (n, columns)
    return rows_of(score.reshape(shape), label.reshape(shape), weight, kind)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["binary", "contrib_binary"])
@pytest.mark.parametrize("kind", KINDS)
@law
@given(st.data(), st.integers(2, 12))
def test_of_a_score_a_row(
    head: HeadType, kind: ScoreKind, data: st.DataObject, max_cells: int
) -> None:
    rows = data.draw(crowded(kind))
    check(histogram_metrics(head, kind, rows.weight is not None), rows, max_cells)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@law
@given(st.data(), st.integers(2, 12))
def test_of_independent_classes(kind: ScoreKind, data: st.DataObject, max_cells: int) -> None:
    rows = data.draw(crowded(kind, 3))
    check(histogram_metrics("multi_label", kind, rows.weight is not None), rows, max_cells)


@pytest.mark.slow
@law
@given(st.data(), st.integers(2, 12))
def test_of_exclusive_classes(data: st.DataObject, max_cells: int) -> None:
    rows = data.draw(crowded("probabilities", 3))
    classes = np.argmax(rows.label, axis=1)[:, np.newaxis].astype(np.float64)
    rows = replace(rows, label=classes)
    check(
        histogram_metrics("multi_class", "probabilities", rows.weight is not None), rows, max_cells
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_of_many_rows(seed: int, kind: ScoreKind) -> None:
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 10, 3000)
    label = (rng.random(3000) < sigmoid(logit / 10)).astype(np.float64)
    score = logit if kind == "logits" else sigmoid(logit)
    weight = rng.gamma(1, 1, 3000) if seed % 2 else None
    rows = rows_of(score[:, np.newaxis], label[:, np.newaxis], weight, kind)
    for max_cells in (16, 128, 512):
        check(histogram_metrics("binary", kind, weight is not None), rows, max_cells)


def test_every_metric_of_a_histogram_has_bounds() -> None:
    for head in ("binary", "contrib_binary", "multi_class", "multi_label"):
        for metric in histogram_metrics(head, "logits", weighted=False).values():
            assert isinstance(metric, CurveMetric | MacroArea)


def test_a_cell_that_hides_the_threshold_is_no_reason() -> None:
    """Both positive labels of the upper cell may score above its zero label, or below it."""
    label = np.array([[0.0], [1.0], [0.0], [1.0]])
    score = np.array([[0.0], [1.0], [1.0 + 1e-9], [1.0 + 2e-9]])
    rows = rows_of(score, label, None, "logits")
    metrics = histogram_metrics("binary", "logits", weighted=False)
    for name in ("recall_at_precision_1", "threshold_at_precision_1"):
        metric = metrics[name]
        assert isinstance(metric.statistic, ScoreHistogram)
        few = measure(replace(metric.statistic, max_cells=2), rows)
        assert metric.compute(few).reason(0) == UNKNOWN
        assert metric.compute(measure(metric.statistic, rows)).reason(0) is None


def test_gains_of_a_cell_by_hand() -> None:
    """Of half of a cell with three positive labels and a zero one, one or two are positive."""
    rows = rows_of(
        np.array([[-64.0], [1.0], [1 + 1e-9], [1 + 2e-9], [1 + 3e-9]]),
        np.array([[0.0], [1.0], [1.0], [0.0], [1.0]]),
        None,
        "logits",
    )
    metric = histogram_metrics("binary", "logits", weighted=False)["gain/decile_4"]
    assert isinstance(metric, CurveMetric)
    assert isinstance(metric.statistic, ScoreHistogram)
    state = measure(replace(metric.statistic, max_cells=2), rows)
    (lowest,), (highest,) = metric.bounds(state, metric.compute(state).value)
    assert (lowest, highest) == pytest.approx((1 / 3, 2 / 3))


def overconfident(rng: np.random.Generator, rows: int) -> dict[str, Floats]:
    """Probabilities that crowd at the ends of the scale."""
    latent = rng.normal(size=rows)
    with np.errstate(over="ignore"):
        sharp, sharper = (1 / (1 + np.exp(-factor * latent)) for factor in (10, 30))
    tail = 10 ** -rng.uniform(0, 15, rows)
    ones = (1 / (1 + np.exp(-3 * latent))).astype(np.float32)
    ones[rng.random(rows) < 0.3] = 1
    return {
        "sigmoid(10 z)": sharp,
        "sigmoid(30 z)": sharper,
        "1 - 10**-u": 1 - tail,
        "both ends": np.where(rng.random(rows) < 0.5, tail, 1 - tail),
        "float32, 30 % exactly 1": ones.astype(np.float64),
    }


@pytest.mark.parametrize("name", overconfident(np.random.default_rng(0), 10))
def test_areas_of_crowded_probabilities(name: str) -> None:
    rows = 200_000
    rng = np.random.default_rng(3)
    score = overconfident(rng, rows)[name]
    rank = score.argsort().argsort() / rows
    label = (rng.random(rows) < 0.05 + 0.5 * rank).astype(np.float64)
    batch = rows_of(score[:, np.newaxis], label[:, np.newaxis], None, "probabilities")
    context: MetricContext = make_context(space=ScoreSpace("probabilities"))
    state = measure(context.score_histogram, batch)
    metrics = report_metrics(context)
    for area in ("roc_auc", "average_precision"):
        bounds = metrics[area].bounds(state, metrics[area].compute(state).value)
        assert bounds is not None
        assert bounds[1][0] - bounds[0][0] <= 1e-3, area


@pytest.mark.parametrize("max_cells", [40, 1 << 14])
@pytest.mark.parametrize("kind", KINDS)
def test_no_digit_depends_on_the_other_slices(kind: ScoreKind, max_cells: int) -> None:
    rng = np.random.default_rng(15)
    # Of very different sizes, and each of scores of its own.
    sizes = [6000, *rng.integers(1, 60, 40).tolist()]
    segment = np.repeat(np.arange(len(sizes)), sizes)
    score = rng.normal(segment / 9, 1 + segment % 3)
    score = score if kind == "logits" else sigmoid(score)
    label = (rng.random(len(score)) < 0.3).astype(np.float64)
    rows = rows_of(score[:, np.newaxis], label[:, np.newaxis], rng.gamma(1, 1, len(score)), kind)
    keys = [(("g", "int", number),) for number in range(len(sizes))]
    metrics = histogram_metrics("binary", kind, weighted=True)
    statistic = replace(metrics["roc_auc"].statistic, max_cells=max_cells)
    state = measure_state(statistic, rows, Segments(segment, keys))
    alone = [state.take([place]) for place in range(len(sizes))]
    for name, metric in metrics.items():
        values = metric.compute(state)
        bounds = metric.bounds(state, values.value)
        assert bounds is not None
        found = [metric.compute(part) for part in alone]
        assert [part.value[0] for part in found] == values.value.tolist(), name
        for place, part in enumerate(alone):
            assert found[place].reason(0) == values.reason(place), name
            ends = metric.bounds(part, found[place].value)
            assert ends is not None
            assert [ends[0][0], ends[1][0]] == [bounds[0][place], bounds[1][place]], name
