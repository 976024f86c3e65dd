"""Hard samples for all statistics: parameters, and rows and segments to measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from heads.statistics import (
    OVERALL,
    STATISTICS,
    ClassFlips,
    ClassOutcomes,
    ConfusionMatrix,
    DistinctScores,
    Flips,
    Key,
    LabelSums,
    RowSums,
    Scored,
    ScoreHistogram,
    Segments,
    State,
    Statistic,
    ThresholdCounts,
)
from heads.statistics.measure import measure_state
from heads.statistics.regression_values import EXACT_FACTORS, OF_PREDICTION
from heads.statistics.score_histogram import Divided
from heads.statistics.statistic import Coverage

Floats = npt.NDArray[np.float64]

settings.register_profile(
    "laws",
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    # To explain a failure takes minutes, and a shrunk failure is clear without.
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
law = settings(settings.get_profile("laws"))

each_statistic = pytest.mark.parametrize("kind", STATISTICS.values(), ids=list(STATISTICS))

LARGEST = float(np.finfo(np.float64).max)
SMALLEST_NORMAL = float(np.finfo(np.float64).tiny)
_FINITE = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    float(np.float32(0.1)),
    1 / 3,
    1e-12,
    -1e-12,
    2e12,
    -2e12,
    5e-324,
    -5e-324,
    SMALLEST_NORMAL,
    SMALLEST_NORMAL - 5e-324,
    1e-300,
    1.7e308,
    -1.7e308,
    LARGEST,
    -LARGEST,
    2.0**53 + 2,
    # Ends of limbs: units of 2**-26 and 2**10, halves included.
    2.0**-27,
    2.0**10 - 2.0**-43,
    2.0**9,
    -(2.0**9),
)
finite = (
    st.sampled_from(_FINITE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
)
infinite = st.sampled_from((np.inf, -np.inf))
nan = st.just(np.nan)
# Pools are small, so that rows tie.
finite_pools = st.lists(finite, min_size=1, max_size=6)
any_pools = st.lists(finite | infinite | nan, min_size=1, max_size=6)
value_pools = finite_pools | any_pools

LABELS = (0.0, -0.0, 0.0, 1.0, 1.0, 0.5, 1e-300, 1.0 - 2.0**-53)
PROBABILITIES = (0.0, 1.0, 0.1, 1 / 3, float(np.float32(0.1)), 1e-300, 5e-324, 1.0 - 2.0**-53)

KEYS: tuple[Key, ...] = (
    OVERALL,
    (("country", "string", "CH"),),
    (("country", "string", "missing"),),
    (("country", "missing", None),),
    (("country", "string", ""),),
    (("country", "string", 'é "\n\u2028\\'),),
    (("age", "int", 7),),
    (("age", "string", "7"),),
    (("flag", "bool", True),),
    (("flag", "int", 1),),
    (("score", "float", "-0.5"),),
    (("score", "string", "-0.5"),),
    (("age", "int", -(2**63)), ("country", "string", "CH")),
)


@dataclass(frozen=True, eq=False)
class Sample:
    """A statistic, and the rows and segments to measure with it."""

    statistic: Statistic
    scored: Scored
    segments: Segments

    def __len__(self) -> int:
        return len(self.scored)

    def measure(self) -> State:
        return measure_state(self.statistic, self.scored, self.segments)

    def take(self, rows: npt.NDArray[np.intp]) -> Sample:
        old = self.segments
        fold = None if old.fold is None else old.fold[rows]
        segments = replace(old, index=old.index[rows], fold=fold)
        return replace(self, scored=self.scored.take(rows), segments=segments)

    def with_used_keys(self) -> Sample:
        """Returns the same rows with only the keys that they have, in order of appearance."""
        used, first = np.unique(self.segments.index, return_index=True)
        keys = [self.segments.keys[i] for i in used[np.argsort(first)]]
        order = np.argsort(np.argsort(first))
        return self._in(order[np.searchsorted(used, self.segments.index)], keys)

    def of(self, keys: Sequence[Key]) -> Sample:
        """Returns the rows of some segments."""
        wanted = np.array([key in set(keys) for key in self.segments.keys], bool)
        return self.take(np.flatnonzero(wanted[self.segments.index]))

    def under(self, key: Key) -> Sample:
        """Returns all rows in a single segment."""
        return self._in(np.zeros(len(self), np.int64), (key,))

    def rekeyed(self, order: npt.NDArray[np.int64], unused: Sequence[Key]) -> Sample:
        """Returns the same rows with the keys in another order, and with unused keys added."""
        old = self.segments.keys
        keys = [old[i] for i in order] + [key for key in unused if key not in old]
        position = {key: i for i, key in enumerate(keys)}
        target = np.array([position[key] for key in old], np.int64)
        return self._in(target[self.segments.index], keys)

    def measured_as(self, statistic: Statistic) -> State:
        """Returns the state of another statistic of the same rows."""
        return replace(self, statistic=statistic).measure()

    def _in(self, index: npt.NDArray[np.int64], keys: Sequence[Key]) -> Sample:
        return replace(self, segments=replace(self.segments, index=index, keys=keys))


@dataclass(frozen=True)
class Rows:
    """A description of the rows that a statistic can measure.

    Attributes:
        scores: pools to draw scores from.
        columns: the number of columns of score, probability and label.
        weighted: whether the rows have weights.
        class_ids: whether labels are class ids `[n, 1]`, and rows have predicted classes.
        baseline: whether a second model scored the rows too.
        interval: whether the rows are of a regression head: labels and predictions are any numbers,
            and the model predicts an interval.
    """

    scores: st.SearchStrategy[list[float]] = finite_pools
    columns: int = 1
    weighted: bool = False
    class_ids: bool = False
    baseline: bool = False
    interval: bool = False


Make = Callable[[st.DrawFn], tuple[Statistic, Rows]]

SAMPLES: dict[type[Statistic], Make] = {}
"""For each statistic, a function that draws its parameters and describes its rows."""


def _samples_of(kind: type[Statistic]) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        SAMPLES[kind] = make
        return make

    return register


# To make and validate a strategy takes longer than to draw from it.
@cache
def _some_of(names: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True)


_folds = st.sampled_from((1, 2, 5))
_coverages = st.sampled_from(get_args(Coverage))


def _common(draw: st.DrawFn, *values: str) -> dict[str, Any]:
    """Draws the parameters that every statistic has; the summed values are drawn from `values`.

    Flags that have no effect without weights are drawn in any case.
    """
    return {
        "values": tuple(draw(_some_of(values))) if values else (),
        "weighted": draw(st.booleans()),
        "keep_unweighted": draw(st.booleans()),
        "squares": draw(st.booleans()),
        "folds": draw(_folds),
        "coverage": draw(_coverages),
    }


BY_CLASS = ("loss", "probability", "soft_label", "squared_error", "class_loss")
"""Values that have as many elements as a statistic of independent classes."""


@_samples_of(RowSums)
def _row_sums(draw: st.DrawFn) -> tuple[Statistic, Rows]:
    class_ids = draw(st.booleans())
    exclusive = ("hit", "top_1", "top_2", "class_brier", "probability_1", "label_0")
    by_kind = exclusive if class_ids else ("exact_match", "coverage", "labels", "top_labels_2")
    common = _common(draw, "loss", "identity", *by_kind)
    columns = draw(st.integers(2 if class_ids else 1, 4))
    rows = Rows(columns=columns, weighted=common["weighted"], class_ids=class_ids)
    return RowSums(**common), rows


@_samples_of(LabelSums)
def _label_sums(draw: st.DrawFn) -> tuple[Statistic, Rows]:
    names = (*OF_PREDICTION, *EXACT_FACTORS, "loss", "squared_error", "pinball_0.9")
    common = _common(draw, *names, "covered", "interval_width")
    return LabelSums(**common), Rows(weighted=common["weighted"], interval=True)


def _exclusive(draw: st.DrawFn, common: dict[str, Any]) -> Rows:
    columns = draw(st.integers(2, 5))
    return Rows(columns=columns, weighted=common["weighted"], class_ids=True)


@_samples_of(ConfusionMatrix)
def _confusion_matrix(draw: st.DrawFn) -> tuple[Statistic, Rows]:
    common = _common(draw, "loss")
    rows = _exclusive(draw, common)
    return ConfusionMatrix(classes=rows.columns, **common), rows


@_samples_of(ClassOutcomes)
def _class_outcomes(draw: st.DrawFn) -> tuple[Statistic, Rows]:
    common = _common(draw, "loss")
    rows = _exclusive(draw, common)
    distances = draw(st.booleans())
    return ClassOutcomes(classes=rows.columns, distances=distances, **common), rows


@_samples_of(ClassFlips)
def _class_flips(draw: st.DrawFn) -> tuple[Statistic, Rows]:
    common = _common(draw, "loss")
    return ClassFlips(**common), replace(_exclusive(draw, common), baseline=True)


_FLIP_CUTS = (-1.0, 0.0, 0.5, 5e-324, LARGEST, -math.inf)
_flip_cuts = st.lists(st.sampled_from(_FLIP_CUTS), min_size=2, max_size=6)
_flip_scores = st.lists(st.sampled_from((*_FLIP_CUTS, 1.0)), min_size=1, max_size=6) | any_pools


@_samples_of(Flips)
def _flips(draw: st.DrawFn) -> tuple[Statistic, Rows]:
    common = _common(draw, "loss")
    cuts = draw(_flip_cuts)
    cuts = cuts[: len(cuts) // 2 * 2]
    classes = draw(st.integers(1, 3))
    rows = Rows(_flip_scores, columns=classes, weighted=common["weighted"], baseline=True)
    return Flips(cuts=tuple(cuts), classes=classes, **common), rows


# Few, because each needs a look-up table of a million cells. No score is above the cut +inf, and
# all finite scores are above the cut -inf.
CUTS: tuple[tuple[float, ...], ...] = (
    (),
    (0.0,),
    (-1e-7, 0.1, 0.5, 0.9),
    tuple(float(x) for x in np.log(np.arange(1, 199) / np.arange(198, 0, -1))),
    (-LARGEST, -1.0, -SMALLEST_NORMAL, -5e-324, 0.0, 5e-324, 1e-310, 1.0, LARGEST),
    (-math.inf, 0.0, LARGEST, math.inf),
    tuple(1.0 + k * 2.0**-52 for k in range(9)),
)


@cache
def _on_cuts(cuts: tuple[float, ...]) -> st.SearchStrategy[list[float]]:
    """Returns a strategy for scores, of which many are at the cuts or beside them."""
    ends = (-math.inf, math.inf)
    around = [0.0, *cuts, *(math.nextafter(cut, end) for cut in cuts for end in ends)]
    return st.lists(st.sampled_from(around), min_size=1, max_size=12) | any_pools


_cuts = st.sampled_from(CUTS)
_compared = st.sampled_from(("score", "class_probability"))


@_samples_of(ThresholdCounts)
def _threshold_counts(draw: st.DrawFn) -> tuple[Statistic, Rows]:
    cuts, of = draw(_cuts), draw(_compared)
    # A label that is a class id cannot be compared with a probability.
    values = BY_CLASS if of == "score" else ("loss", "probability")
    classes, common = draw(st.integers(1, 3)), _common(draw, *values)
    rows = Rows(
        _on_cuts(cuts),
        columns=classes,
        weighted=common["weighted"],
        class_ids=of == "class_probability",
    )
    common |= {"classes": classes, "by_class": draw(st.booleans()), "of": of}
    return ThresholdCounts(cuts=cuts, **common), rows


_tails = st.lists(finite | infinite, max_size=6)
_steps = st.sampled_from((0.0, 2.0**-52, 2.0**-24, 1e-3))


@st.composite
def mixed_scales(draw: st.DrawFn) -> list[float]:
    """Draws scores of which most are close together, and some are far away."""
    centre = draw(finite)
    step = draw(_steps)
    bulk = [centre * (1.0 + k * step) for k in range(draw(st.integers(1, 30)))]
    return bulk + draw(_tails)


score_pools = mixed_scales() | finite_pools


@_samples_of(ScoreHistogram)
def _score_histogram(draw: st.DrawFn) -> tuple[Statistic, Rows]:
    common, rows = _histogram(draw)
    return ScoreHistogram(**common), rows


@_samples_of(DistinctScores)
def _distinct_scores(draw: st.DrawFn) -> tuple[Statistic, Rows]:
    common, rows = _histogram(draw)
    return DistinctScores(**{**common, "folds": 1}), rows


_divided = st.sampled_from(get_args(Divided))
_max_cells = st.sampled_from((2, 3, 5, 17, 500))


def _histogram(draw: st.DrawFn) -> tuple[dict[str, Any], Rows]:
    """Draws the parameters of a histogram, and the rows that it takes."""
    of = draw(_divided)
    number = of in ("prediction", "error")
    # A label that is a class id cannot be compared with a probability.
    values = BY_CLASS if of != "class_probability" else ("loss", "probability")
    common = _common(draw, *(("error", "prediction", "label") if number else values))
    rows = Rows(
        score_pools,
        columns=1 if number else draw(st.integers(1, 3)),
        weighted=common["weighted"],
        class_ids=of == "class_probability",
        interval=number,
    )
    cells = {
        "classes": rows.columns,
        "max_cells": draw(_max_cells),
        "by_class": draw(st.booleans()),
        "of": of,
    }
    return common | cells, rows


@cache
def statistics(kind: type[Statistic]) -> st.SearchStrategy[Statistic]:
    """Returns a strategy for statistics of a class, with any parameters."""
    return _drawn(kind).map(lambda drawn: drawn[0])


@cache
@st.composite
def _drawn(draw: st.DrawFn, kind: type[Statistic]) -> tuple[Statistic, Rows]:
    if kind not in SAMPLES:
        name = kind.__name__
        raise LookupError(
            f"The laws have no samples of {name}. Add a function to tests/laws/batches.py, marked"
            f" @_samples_of({name}), that draws a {name} with any parameters and returns it with"
            " the Rows that it takes."
        )
    return SAMPLES[kind](draw)


@cache
@st.composite
def samples(draw: st.DrawFn, kind: type[Statistic]) -> Sample:
    """Draws a statistic of a class, with rows and segments; there may be no rows."""
    statistic, rows = draw(_drawn(kind))
    n = draw(st.integers(0, 40))
    # NumPy draws the values of rows, as this is fast, and the pools still shrink.
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def column(pool: Sequence[float] | Floats, *shape: int) -> Floats:
        return rng.choice(np.array(pool, np.float64), shape)

    k = rows.columns
    labels = rng.permutation(LABELS)[:4]
    ids = np.arange(float(k))
    values, pool = draw(value_pools), draw(rows.scores)

    def label() -> Floats:
        if rows.interval:
            return column([0.0, *values], n, k)
        return column(ids, n, 1) if rows.class_ids else column(labels, n, k)

    def scored() -> Scored:
        return Scored(
            score=column(pool, n, k),
            probability=column(pool if rows.interval else PROBABILITIES, n, k),
            label=label(),
            loss=column(values, n),
            weight=column(values, n) if rows.weighted else None,
            predicted=rng.integers(0, k, n) if rows.class_ids else None,
            identity=rng.integers(0, 2**64, n, np.uint64),
            class_loss=None if rows.class_ids else column(values, n, k),
            interval=column(values, n, 2) if rows.interval else None,
        )

    keys = [KEYS[i] for i in rng.permutation(len(KEYS))[: draw(st.integers(1, len(KEYS)))]]
    index = rng.integers(0, draw(st.integers(1, len(keys))), n)
    # Some folds are left empty; without folds, all rows are in the first fold.
    folds = draw(st.integers(0, statistic.folds))
    fold = rng.choice(rng.permutation(statistic.folds)[:folds], n) if folds else None
    batch = replace(scored(), baseline=scored() if rows.baseline else None)
    return Sample(statistic, batch, Segments(index, tuple(keys), fold=fold))


def split(data: st.DataObject, sample: Sample, parts: int) -> list[Sample]:
    """Shuffles the rows of a sample, and cuts them into parts, which may be empty.

    Either all parts have the keys of the whole, or each part has only the keys of its rows, so that
    new keys appear late.
    """
    n = len(sample)
    order = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).permutation(n)
    edges = [0, *sorted(data.draw(st.integers(0, n)) for _ in range(parts - 1)), n]
    out = [sample.take(order[a:b]) for a, b in pairwise(edges)]
    return [part.with_used_keys() for part in out] if data.draw(st.booleans()) else out
