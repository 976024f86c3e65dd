"""Relative changes against the jackknife of the logarithm of the ratio."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from heads.statistics import Key
from pipeline.evaluate import evaluate
from pipeline.evaluation.head_plan import BASELINE
from pipeline.results.estimated import Estimates
from pipeline.results.relative import BASELINE_ZERO, SIGNED, RelativeEstimator
from pipeline.results.run_states import RunStates
from tests.pipeline.tables import plan_of

PLAN = plan_of(
    "slices: [g]\n"
    "heads:\n"
    "  h: {type: binary, logits: s, label: y, weight: w, baseline: {logits: b}}\n"
    "  never: {type: binary, probability: p, label: y, baseline: {probability: zero}}\n"
    "  number: {type: regression, prediction: s, label: z, baseline: {prediction: b}}\n"
)
ROWS = 4000
KEYS: tuple[Key, ...] = ((), (("g", "int", 0),), (("g", "int", 1),))


@pytest.fixture(scope="module")
def run() -> RunStates:
    rng = np.random.default_rng(8)
    y = rng.integers(0, 2, ROWS)
    b = (2 * y - 1) + rng.normal(0, 1.5, ROWS)
    rows = pa.table(
        {
            "g": rng.integers(0, 2, ROWS),
            "y": y,
            "z": y + rng.normal(0, 0.1, ROWS),
            "w": rng.gamma(2, 1, ROWS),
            "s": b + rng.normal(0, 0.7, ROWS),
            "b": b,
            "p": np.full(ROWS, 0.9),
            "zero": np.zeros(ROWS),
        }
    )
    evaluation = evaluate(rows, PLAN)
    return RunStates.of("run", PLAN, evaluation.table, evaluation.states)


def change(run: RunStates, metric: str, head: str = "h", *, paired: bool = True) -> Estimates:
    new, old = (run.read(head, KEYS, model=model, names=[metric]) for model in (0, BASELINE))
    matching = np.full(len(KEYS), paired)
    with np.errstate(all="ignore"):
        return RelativeEstimator(new, old, matching).estimates(0.95)[metric]


def replicates(run: RunStates, metric: str, model: int) -> np.ndarray:
    """The values without each fold, `[s, f]`."""
    reading = run.read("h", KEYS, model=model, names=[metric])[metric]
    return reading.without(1)[0]


@pytest.mark.parametrize("metric", ["average_loss", "accuracy", "precision"])
@pytest.mark.parametrize("paired", [True, False])
def test_intervals_are_those_of_the_logarithm(run: RunStates, metric: str, paired: bool) -> None:
    found = change(run, metric, paired=paired)
    logs = [np.log(replicates(run, metric, model)) for model in (0, 1)]
    folds = logs[0].shape[1]
    apart = [logs[0] - logs[1]] if paired else logs
    errors = [
        (folds - 1) / folds * ((part - part.mean(1, keepdims=True)) ** 2).sum(1) for part in apart
    ]
    error = np.sqrt(sum(errors))
    lower, upper = np.log1p(found.lower), np.log1p(found.upper)
    half = error * stats.t.ppf(0.975, found.degrees_of_freedom)
    # What is added for shares, which a row more or less would change, is small here.
    np.testing.assert_allclose((upper - lower) / 2, half, rtol=0.06)
    np.testing.assert_allclose((upper + lower) / 2, np.log1p(found.value), atol=1e-12)


def test_pairs_tell_more(run: RunStates) -> None:
    paired, apart = (change(run, "average_loss", paired=paired) for paired in (True, False))
    assert (paired.upper - paired.lower < 0.8 * (apart.upper - apart.lower)).all()
    np.testing.assert_array_equal(paired.value, apart.value)


def test_what_may_be_below_zero_has_none(run: RunStates) -> None:
    found = change(run, "bias", "number")
    assert set(found.reasons) == {SIGNED}
    assert np.isnan(found.value).all()
    assert np.isnan(found.lower).all()


def test_of_nothing_there_is_no_share(run: RunStates) -> None:
    found = change(run, "prediction/mean", "never")
    assert set(found.reasons) == {BASELINE_ZERO}
