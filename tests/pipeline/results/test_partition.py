"""The steps that evaluation in this process and on Beam share at their end."""

from __future__ import annotations

import numpy as np

from heads import BinaryClassHead
from heads.statistics import OVERALL, Key, ScoreHistogram, Segments
from heads.statistics.measure import measure_state
from pipeline.evaluation.state_key import StateKey, split
from pipeline.results.partition import overall_shift, partition_of, shift_to_align
from tests.pipeline.tables import plan_of


def test_histograms_of_slices_are_brought_to_the_shift_of_all_rows() -> None:
    plan = plan_of("heads: {h: {type: binary, logits: s, label: y, metrics: [roc_auc]}}")
    rng = np.random.default_rng(0)
    n = 20_000
    scores, labels = rng.normal(size=(n, 1)), rng.integers(0, 2, (n, 1)).astype(float)
    scored = BinaryClassHead().score(scores, labels)
    measured = next(
        measured
        for measured in plan.heads["h"].measured
        if isinstance(measured.statistic, ScoreHistogram)
    )
    key = StateKey.of("h", measured)
    few_rows: Key = (("c", "string", "a"),)
    overall = measure_state(measured.statistic, scored, Segments.overall(n))
    few = measure_state(
        measured.statistic, scored.take(np.arange(9)), Segments(np.zeros(9, np.int64), (few_rows,))
    )
    assert overall.shift > 0
    assert few.shift == 0
    ((small, part),) = split("h", measured, few, {OVERALL: 0, few_rows: 1})
    assert partition_of(small) == ("h", 1)
    shifts = dict([*overall_shift(key, overall.shift), *overall_shift(small, part.shift)])
    assert shifts == {key.series: overall.shift}
    assert shift_to_align(small, shifts) == shift_to_align(key, shifts) == overall.shift
    # A state of another statistic, or a run without histograms, stays as it is.
    assert shift_to_align(small._replace(statistic="another"), shifts) == 0
    assert shift_to_align(small, {}) == 0
