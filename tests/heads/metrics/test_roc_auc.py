"""Areas under curves: against scikit-learn, and their bounds against every order there could be."""

from __future__ import annotations

import itertools
import math
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric, Values
from heads.metrics.core.registry import estimator_metrics, report_metrics
from heads.metrics.roc_auc import AveragePrecision, RocAuc
from heads.statistics import Scored, ScoreHistogram, Segments, State, merge
from heads.statistics.cuts import ScoreSpace
from heads.statistics.measure import measure_state
from tests.laws.batches import law

Floats = npt.NDArray[np.float64]
BOUNDS = ("value", "lower", "upper")


def measure(
    statistic: ScoreHistogram,
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    segments: Segments | None = None,
) -> State:
    score = np.asarray(scores, np.float64).reshape(-1, statistic.classes)
    label = np.asarray(labels, np.float64).reshape(-1, statistic.classes)
    weight = None if weights is None else np.asarray(weights, np.float64)
    scored = Scored(score, score, label, np.zeros(len(score)), weight)
    return measure_state(statistic, scored, segments or Segments.overall(len(score)))


def areas(state: State, group: int | None = None) -> dict[str, tuple[Floats, Floats]]:
    """Returns ROC AUC and average precision `[segments]`, by bound."""
    both = (state.statistic, state.statistic)
    found: dict[str, list[Floats]] = {bound: [] for bound in BOUNDS}
    for area in (RocAuc, AveragePrecision):
        metric = area("a", *both, group, labels=both[0])
        for bound, value in zip(
            BOUNDS,
            (metric.compute(state).value, *metric.bounds(state, metric.compute(state).value)),
            strict=True,
        ):
            found[bound].append(value)
    return {bound: (roc, precision) for bound, (roc, precision) in found.items()}


# Brute force.


def cell_of(score: float, shift: int) -> int:
    """Returns the cell of a score, as its documentation defines it."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", score + 0.0))
    ordered = bits ^ (2**64 - 1) if bits >> 63 else bits | 2**63
    return ordered >> shift


def weak_orders(items: Sequence[int]) -> Iterator[list[list[int]]]:
    """Yields all orders of items, with ties too, as lists of groups from the lowest up."""
    if not items:
        yield []
        return
    for size in range(1, len(items) + 1):
        for first in itertools.combinations(items, size):
            rest = [item for item in items if item not in first]
            for others in weak_orders(rest):
                yield [list(first), *others]


def roc_auc(groups: list[list[int]], labels: list[int], weights: list[float]) -> float:
    total = won = below = 0.0
    for group in groups:
        positive = math.fsum(weights[i] for i in group if labels[i])
        negative = math.fsum(weights[i] for i in group if not labels[i])
        won += positive * (below + negative / 2)
        below += negative
        total += positive
    return won / total / below


def average_precision(groups: list[list[int]], labels: list[int], weights: list[float]) -> float:
    area = hit = seen = 0.0
    for group in reversed(groups):
        positive = math.fsum(weights[i] for i in group if labels[i])
        hit += positive
        seen += math.fsum(weights[i] for i in group)
        if positive:
            area += positive * hit / seen
    return area / hit


@st.composite
def small_samples(draw: st.DrawFn) -> tuple[list[float], list[int], list[float] | None]:
    """Draws two to six rows with both labels, whose scores are in a few clusters."""
    centre = st.sampled_from([-3.0, 0.0, 1.0, 1e4])
    step = st.integers(0, 3).map(lambda k: k * 1e-9)
    n = draw(st.integers(2, 6))
    rows = draw(st.lists(st.tuples(centre, step), min_size=n, max_size=n))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    labels[:2] = [0, 1]
    weight = st.sampled_from([0.25, 1.0, 3.0, 0.1, 1e3])
    weights = draw(st.none() | st.lists(weight, min_size=n, max_size=n))
    return [c + s for c, s in rows], labels, weights


@settings(law, max_examples=150)
@given(small_samples(), st.integers(2, 3))
def test_bounds_hold_for_every_order_within_the_cells(
    sample: tuple[list[float], list[int], list[float] | None], max_cells: int
) -> None:
    scores, labels, given_weights = sample
    statistic = ScoreHistogram(weighted=given_weights is not None, max_cells=max_cells)
    state = measure(statistic, scores, labels, given_weights)
    weights = given_weights or [1.0] * len(labels)
    cells = defaultdict(list)
    for row, score in enumerate(scores):
        cells[cell_of(score, state.shift)].append(row)
    assert len(cells) <= max_cells
    bounds = {bound: (float(a[0]), float(b[0])) for bound, (a, b) in areas(state).items()}

    if state.shift == 0:
        ranking = [list(cells[cell]) for cell in sorted(cells)]
        exact = roc_auc(ranking, labels, weights), average_precision(ranking, labels, weights)
        for bound in BOUNDS:
            assert bounds[bound] == pytest.approx(exact, rel=1e-12)
        return
    reachable = [
        (roc_auc(ranking, labels, weights), average_precision(ranking, labels, weights))
        for orders in itertools.product(*(list(weak_orders(cells[c])) for c in sorted(cells)))
        for ranking in [list(itertools.chain.from_iterable(orders))]
    ]
    rounding = 5e-12
    for kind in (0, 1):
        values = [pair[kind] for pair in reachable]
        assert bounds["lower"][kind] <= min(values)
        # Brute force may round an area of 1 to a little more.
        assert bounds["upper"][kind] >= min(max(values), 1.0)
        assert bounds["lower"][kind] <= bounds["value"][kind] <= bounds["upper"][kind]
    # Some order attains each bound but the lower one of average precision.
    roc, precision = zip(*reachable, strict=True)
    assert bounds["lower"][0] == pytest.approx(min(roc), rel=rounding, abs=rounding)
    assert bounds["upper"][0] == pytest.approx(max(roc), rel=rounding, abs=rounding)
    assert bounds["upper"][1] == pytest.approx(max(precision), rel=rounding, abs=rounding)
    # The value takes every cell as a tie.
    ties = [cells[cell] for cell in sorted(cells)]
    assert bounds["value"][0] == pytest.approx(roc_auc(ties, labels, weights), rel=rounding)
    expected = average_precision(ties, labels, weights)
    assert bounds["value"][1] == pytest.approx(expected, rel=rounding)


def test_a_cell_of_everything_by_hand() -> None:
    # Two positives and two zeros in one cell, two zeros above.
    state = measure(
        ScoreHistogram(max_cells=2), [1.0, 1.1, 1.2, 1.3, 64.0, 99.0], [1, 0, 1, 0, 0, 0]
    )
    cells = {cell_of(s, state.shift) for s in (1.0, 1.1, 1.2, 1.3)}
    assert len(cells) == 1
    bounds = areas(state)
    assert [bounds[bound][0][0] for bound in BOUNDS] == pytest.approx([2 / 8, 0.0, 4 / 8])
    # The lower bound is the integral of u / (u + 4) over the positive weight, from 0 to 2.
    lower = (2 - 4 * math.log(6 / 4)) / 2
    assert [bounds[bound][1][0] for bound in BOUNDS] == pytest.approx([2 / 6, lower, 2 / 4])


# Exact histograms.


@law
@given(st.data())
def test_few_scores_are_exact(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 40))
    pool = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=10))
    scores = data.draw(st.lists(st.sampled_from(pool), min_size=n, max_size=n))
    labels = data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    labels[:2] = [0, 1]
    weight = st.floats(1e-3, 1e3)
    weights = data.draw(st.none() | st.lists(weight, min_size=n, max_size=n))
    state = measure(ScoreHistogram(weighted=weights is not None), scores, labels, weights)
    assert state.shift == 0
    roc = roc_auc_score(labels, scores, sample_weight=weights)
    precision = average_precision_score(labels, scores, sample_weight=weights)
    for bound, (a, b) in areas(state).items():
        assert a[0] == pytest.approx(roc, rel=1e-12, abs=1e-12), bound
        assert b[0] == pytest.approx(precision, rel=1e-12), bound


def test_scores_of_one_cell_are_ties() -> None:
    state = measure(ScoreHistogram(), [0.0, -0.0, 0.0, -0.0], [1, 0, 0, 1])
    for a, b in areas(state).values():
        assert (a[0], b[0]) == (0.5, 0.5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("max_cells", [8192, 64])
def test_no_area_is_beyond_one(seed: int, max_cells: int) -> None:
    # A perfect ranking with weights whose sums round.
    rng = np.random.default_rng(seed)
    labels = np.arange(200) % 2
    scores = np.where(labels, 1.0, -1.0) * rng.uniform(0.1, 1, 200)
    state = measure(
        ScoreHistogram(weighted=True, max_cells=max_cells), scores, labels, rng.uniform(0, 1, 200)
    )
    for a, b in areas(state).values():
        assert 1 - 1e-12 <= a[0] <= 1
        assert b[0] <= 1
    assert areas(state)["upper"][0][0] == areas(state)["upper"][1][0] == 1
    worst = measure(
        ScoreHistogram(weighted=True, max_cells=max_cells), -scores, labels, rng.uniform(0, 1, 200)
    )
    assert 0 <= areas(worst)["lower"][0][0] <= areas(worst)["upper"][0][0] <= 1e-12


def test_soft_labels_are_positive() -> None:
    state = measure(ScoreHistogram(), [1.0, 2.0, 3.0], [0.0, 0.3, 0.0])
    assert areas(state)["value"][0][0] == 0.5


# Undefined.


def reason(metric: type[Metric], state: State, segment: int = 0) -> str | None:
    values: Values = metric("m", state.statistic, state.statistic, labels=state.statistic).compute(
        state
    )
    if values.reason(segment) is not None:
        assert values.value[segment] == 0
    return values.reason(segment)


def test_one_kind_of_label_alone() -> None:
    ones = measure(ScoreHistogram(), [1.0, 2.0], [1, 1])
    zeros = measure(ScoreHistogram(), [1.0, 2.0], [0, 0])
    assert reason(RocAuc, ones) == "no label is zero"
    assert reason(RocAuc, zeros) == "no label is positive"
    assert reason(AveragePrecision, ones) is None
    assert areas(ones)["lower"][1][0] == 1
    assert reason(AveragePrecision, zeros) == "no label is positive"


def test_labels_without_weight_are_none() -> None:
    statistic = ScoreHistogram(weighted=True)
    state = measure(statistic, [1.0, 2.0, 3.0], [1, 0, 1], [1.0, 0.0, 1.0])
    assert reason(RocAuc, state) == "no label is zero"
    assert reason(AveragePrecision, state) is None
    state = measure(statistic, [1.0, 2.0], [1, 0], [0.0, 1.0])
    assert reason(RocAuc, state) == "no label is positive"
    assert reason(AveragePrecision, state) == "no label is positive"
    weightless = measure(statistic, [1.0, 2.0, 0.5], [1, 0, 1], [1.0, 1.0, 0.0])
    assert areas(weightless)["value"][0][0] == areas(weightless)["lower"][0][0] == 0


# Segments and classes.


def test_every_segment_and_class_has_areas_of_its_own() -> None:
    rng = np.random.default_rng(0)
    n = 400
    scores, labels = rng.normal(size=(n, 3)).round(1), rng.integers(0, 2, (n, 3))
    weights, index = rng.uniform(0.1, 2, n), rng.integers(0, 2, n)
    # Names sort in another order than they come.
    segments = Segments(index, [(("c", "string", "b"),), (("c", "string", "a"),)])
    state = measure(ScoreHistogram(classes=3, weighted=True), scores, labels, weights, segments)
    for position, code in enumerate((1, 0)):
        in_segment = index == code
        for group in (0, 1, 2, None):
            columns = [group] if group is not None else [0, 1, 2]
            y, s = labels[in_segment][:, columns].ravel(), scores[in_segment][:, columns].ravel()
            w = np.repeat(weights[in_segment], len(columns))
            a, b = areas(state, group)["value"]
            assert a[position] == pytest.approx(roc_auc_score(y, s, sample_weight=w), rel=1e-12)
            expected = average_precision_score(y, s, sample_weight=w)
            assert b[position] == pytest.approx(expected, rel=1e-12)


def test_a_class_without_rows_is_undefined_and_does_not_move_others() -> None:
    scores, labels = [[1.0, 5.0], [2.0, 6.0]], [[0, 0], [1, 0]]
    state = measure(ScoreHistogram(classes=2), scores, labels)
    roc = RocAuc("m", state.statistic, state.statistic, 1, labels=state.statistic).compute(state)
    assert roc.reason(0) == "no label is positive"
    assert areas(state, 0)["value"][0][0] == 1


def test_the_state_that_is_kept_is_the_state_that_is_asked() -> None:
    # Curves are kept between metrics; another state of the same statistic has its own.
    statistic = ScoreHistogram()
    good, bad = (measure(statistic, [1.0, 2.0], labels) for labels in ([0, 1], [1, 0]))
    metric = RocAuc("m", statistic, statistic, labels=statistic)
    assert [float(metric.compute(s).value[0]) for s in (good, bad, good)] == [1.0, 0.0, 1.0]
    assert float(metric.compute(merge([good, bad])).value[0]) == 0.5


def test_names() -> None:
    context = MetricContext(
        "multi_label", ("a", "b"), ScoreSpace(), named_classes=(1,), class_suffixes=("b",)
    )
    metrics = report_metrics(context)
    names = set(metrics) - set(estimator_metrics(context))
    assert {n for n in names if "roc_auc" in n} == {"roc_auc", "roc_auc/b"}
    assert {n for n in names if "average_precision" in n} == {
        "average_precision",
        "average_precision/b",
    }
    assert isinstance(metrics["roc_auc/b"], RocAuc)
    assert metrics["roc_auc/b"].group == 1
    assert "roc_auc" not in report_metrics(
        MetricContext("multi_class", ("a", "b", "c"), ScoreSpace())
    )


# Many scores.


ROWS = 200_000


def scales(rng: np.random.Generator) -> dict[str, Floats]:
    """Returns scores on nine scales, most of which are hard for a grid of any fixed step."""
    normal = rng.normal(size=ROWS)
    tiny = 1e-4 * rng.beta(2, 5, ROWS)
    return {
        "logits": -2 + 1.5 * normal,
        "rare": -7 + normal,
        "narrow, away from zero": 3 + 0.01 * normal,
        "far from zero": 1e4 + 10 * normal,
        "log-odds of tiny probabilities": np.log(tiny / (1 - tiny)),
        "tiny probabilities": tiny,
        "probabilities near one": 1 - tiny,
        "spread": 100 * normal,
        "narrow with one in a hundred wild": np.where(
            rng.random(ROWS) < 0.01, rng.normal(0, 1000, ROWS), 0.01 * normal
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", scales(np.random.default_rng(0)))
def test_bounds_are_narrow_on_every_scale(name: str) -> None:
    rng = np.random.default_rng(1)
    scores = scales(rng)[name]
    rank = scores.argsort().argsort() / ROWS
    labels = rng.random(ROWS) < 0.05 + 0.5 * rank
    state = measure(ScoreHistogram(), scores, labels)
    assert state.shift > 0
    bounds = {bound: (float(a[0]), float(b[0])) for bound, (a, b) in areas(state).items()}
    roc, precision = roc_auc_score(labels, scores), average_precision_score(labels, scores)
    assert bounds["lower"][0] <= roc <= bounds["upper"][0]
    assert bounds["lower"][1] <= precision <= bounds["upper"][1]
    assert bounds["upper"][0] - bounds["lower"][0] <= 1e-3
    assert bounds["upper"][1] - bounds["lower"][1] <= 1e-3
