"""Tests of counts at cuts by brute force: every score is compared with every cut."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.statistics import Scored, Segments, ThresholdCounts
from heads.statistics.measure import measure_state
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, SOFT, ZERO
from tests.heads.statistics.exactly import around, nearest_double, weighted
from tests.laws.batches import CUTS, LARGEST, any_pools, finite, infinite, law

Floats = npt.NDArray[np.float64]

# The label -0.0 counts as 0.0.
LABELS = {0.0: ZERO, 1.0: ONE, 0.5: SOFT, 5e-324: SOFT, 1.0 - 2.0**-53: SOFT}


def cells(cuts: tuple[float, ...], scores: Floats) -> list[int]:
    """Returns the cell of each score, measured in a separate segment for each row."""
    n = len(scores)
    column = scores.reshape(n, 1)
    scored = Scored(column, np.zeros((n, 1)), np.zeros((n, 1)), np.zeros(n))
    keys = [(("row", "int", i),) for i in range(n)]
    state = measure_state(ThresholdCounts(cuts=cuts), scored, Segments(np.arange(n), keys))
    cell_of_row = {key[0][2]: int(cell) for key, cell in zip(state.keys, state.cell, strict=True)}
    return [cell_of_row[i] for i in range(n)]


def brute_force(cuts: tuple[float, ...], scores: Floats) -> list[int]:
    return [
        0 if math.isnan(score) else 1 + sum(score > cut for cut in cuts)
        for score in scores.tolist()
    ]


@st.composite
def cut_sets(draw: st.DrawFn) -> tuple[float, ...]:
    """Draws distinct cuts, some so close that a cell of any look-up table has several."""
    cuts: set[float] = set()
    for _ in range(draw(st.integers(1, 4))):
        base = draw(finite)
        step = 2 ** draw(st.sampled_from((0, 1, 20, 40, 44)))
        bits = int(np.float64(base).view(np.int64))
        for k in range(draw(st.integers(1, 6))):
            value = float(np.int64(max(min(bits + k * step, 2**63 - 1), -(2**63))).view(np.float64))
            if not math.isnan(value):
                cuts.add(value)
    return tuple(sorted(cuts))


@settings(law, max_examples=60)
@given(cuts=cut_sets(), others=st.lists(finite | infinite, max_size=10))
def test_cells_equal_brute_force_around_every_cut(
    cuts: tuple[float, ...], others: list[float]
) -> None:
    near = [score for cut in cuts for score in around(cut, 2)]
    scores = np.array([*near, *others, 0.0, -0.0, LARGEST, -LARGEST, np.inf, -np.inf])
    assert cells(cuts, scores) == brute_force(cuts, scores)


@pytest.mark.parametrize("cuts", CUTS, ids=len)
def test_infinite_scores_and_zeros(cuts: tuple[float, ...]) -> None:
    scores = np.array([np.inf, -np.inf, 0.0, -0.0])
    assert cells(cuts, scores) == brute_force(cuts, scores)


@pytest.mark.parametrize("cuts", [(-3.25, -0.0), (-0.0, 3.25), (-6.5, 0.0), (0.0, 6.5)], ids=str)
def test_a_zero_of_either_sign_is_one_cut(cuts: tuple[float, ...]) -> None:
    scores = np.array([-5e-324, -0.0, 0.0, 5e-324])
    assert cells(cuts, scores) == brute_force(cuts, scores)


@pytest.mark.parametrize("cuts", CUTS, ids=len)
def test_a_nan_score_of_any_sign_and_payload_falls_into_cell_zero(
    cuts: tuple[float, ...],
) -> None:
    words = [0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001, 0xFFFFFFFFFFFFFFFF]
    scores = np.array([*words, 0x7FFFFFFFFFFFFFFF], np.uint64).view(np.float64)
    assert np.isnan(scores).all()
    assert cells(cuts, scores) == [0] * 5
    assert cells(cuts, np.array([1.0, np.nan, -1.0])) == brute_force(
        cuts, np.array([1.0, np.nan, -1.0])
    )


def test_scores_of_any_bits() -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**64, 200_000, np.uint64)
    low = np.uint64((1 << 44) - 1)
    # Ends of look-up cells, whatever share of the leading bits they take.
    words = np.concatenate([words, words & ~low, words | low])
    scores = words.view(np.float64)
    scores = scores[~np.isnan(scores)]
    chosen = rng.choice(scores[np.isfinite(scores)], 200, replace=False)
    close = 1.0 + np.arange(300) * 2.0**-52
    cuts = np.unique(np.concatenate([chosen, close]))
    scores = np.concatenate([scores, cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, 0)])
    n = len(scores)
    scored = Scored(scores.reshape(n, 1), np.zeros((n, 1)), np.zeros((n, 1)), np.zeros(n))
    state = measure_state(ThresholdCounts(cuts=tuple(cuts.tolist())), scored, Segments.overall(n))
    expected = np.bincount(1 + np.searchsorted(cuts, scores, side="left"), minlength=len(cuts) + 2)
    assert state.dense("rows", LABEL_KINDS, len(cuts) + 2)[0, ZERO].tolist() == expected.tolist()


@law
@given(
    cuts=st.sampled_from(CUTS),
    classes=st.integers(1, 3),
    by_class=st.booleans(),
    pool=any_pools,
    seed=st.integers(0, 2**32 - 1),
)
def test_groups_and_weights_equal_brute_force(
    cuts: tuple[float, ...], classes: int, by_class: bool, pool: list[float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    score = rng.choice(np.array(pool), (n, classes))
    label = rng.choice(np.array([-0.0, *LABELS]), (n, classes))
    weight = rng.choice(np.array([0.0, -1.0, 0.1, 1e-12, 2e12, 5e-324]), n)
    probability = rng.choice([0.0, 1.0, 0.1, 1e-300, 1.0 - 2.0**-53], (n, classes))
    loss = rng.choice([0.0, 0.1, 1e200], n)
    statistic = ThresholdCounts(
        cuts=cuts,
        classes=classes,
        by_class=by_class,
        values=("loss", "probability", "soft_label", "squared_error"),
        weighted=True,
        keep_unweighted=True,
        squares=True,
    )
    scored = Scored(score, probability, label, loss, weight)
    state = measure_state(statistic, scored, Segments.overall(n))
    expected: dict[tuple[int, int], list[dict[str, float | Fraction]]] = {}
    for row in range(n):
        for k, cell in enumerate(brute_force(cuts, score[row])):
            group = (k if by_class else 0) * LABEL_KINDS + LABELS[float(label[row, k])]
            p, y, w = probability[row, k], label[row, k], weight[row]
            terms = {
                "loss": loss[row],
                "probability": p,
                "soft_label": y if LABELS[float(y)] == SOFT else 0.0,
                "squared_error": (p - y) * (p - y),
            }
            element: dict[str, float | Fraction] = {"weight": w, "weight_squared": w * w}
            element |= {f"row_{name}": value for name, value in terms.items()}
            element |= {name: weighted(w, value) for name, value in terms.items()}
            expected.setdefault((group, cell), []).append(element)
    table = zip(state.group.tolist(), state.cell.tolist(), strict=True)
    assert list(table) == sorted(expected)
    assert state["rows"].tolist() == [len(expected[at]) for at in sorted(expected)]
    assert set(state.sums) == {name for elements in expected.values() for name in elements[0]}
    for name in state.sums:
        sums = [
            nearest_double(sum((Fraction(element[name]) for element in expected[at]), Fraction()))
            for at in sorted(expected)
        ]
        if name == "weight_squared":
            # The squares are rounded to 24 bits.
            np.testing.assert_allclose(state[name], sums, rtol=2.0**-24)
            continue
        assert state[name].tolist() == sums, name


def test_weights_are_asked_for() -> None:
    column = np.zeros((1, 1))
    with pytest.raises(ValueError, match="weight column"):
        measure_state(
            ThresholdCounts(cuts=(0.0,), weighted=True),
            Scored(column, column, column, np.zeros(1)),
            Segments.overall(1),
        )
