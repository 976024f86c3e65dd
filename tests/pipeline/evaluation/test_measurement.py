"""What statistics measure of a batch, against picking rows one by one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads import BinaryClassHead
from heads.statistics import Key, RowSums, Scored, Segments, merge, same
from heads.statistics.measure import measure_state
from heads.statistics.scored import VALUES
from heads.statistics.statistic import Coverage
from pipeline.evaluation.measurement import PassBatch, measured_models, score_rows
from pipeline.evaluation.plan import Plan
from pipeline.extract.folds import row_identity
from pipeline.extract.head_inputs import extract
from pipeline.slicing.slicer import Pass
from tests.pipeline.tables import law, plan_of, rows_of

Ints = npt.NDArray[np.int64]
Picked = list[tuple[float, Key, int]]
"""For each entry the row, by its score, the segment and the fold."""


@dataclass(frozen=True)
class Batch:
    """A batch in one pass.

    Attributes:
        models: its good rows; the score of a row is its number, negative for the second model.
        segments_of_pass: the pass.
        fold: the fold of each row; None without folds.
    """

    models: list[Scored]
    segments_of_pass: Pass
    fold: Ints | None


def scored_of(scores: npt.NDArray[Any]) -> Scored:
    column = scores.astype(np.float64)[:, np.newaxis]
    return BinaryClassHead().score(column, np.zeros_like(column))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    rows = draw(st.integers(0, 12))
    segments = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    index, of = rng.integers(0, segments, rows), None
    if draw(st.booleans()):
        pairs = np.argwhere(rng.random((rows, segments)) < 0.4)
        of, index = pairs[:, 0], pairs[:, 1]
    large = rng.random(segments) < draw(st.sampled_from([0, 0.5, 1]))
    keys: list[Key] = [(("pass", "int", number),) for number in range(segments)]
    segments_of_pass = Pass(Segments(index, keys, of), [(key,) for key in keys], large)
    numbers = np.arange(rows)
    fold = rng.integers(0, 3, rows) if draw(st.booleans()) else None
    return Batch([scored_of(numbers), scored_of(-1.0 - numbers)], segments_of_pass, fold)


def by_hand(batch: Batch, coverage: Coverage, model: int) -> Picked:
    segments, large = batch.segments_of_pass.segments, batch.segments_of_pass.top_slice
    rows = segments.rows
    of = range(len(segments.index)) if rows is None else rows.tolist()
    entries = list(zip(of, segments.index.tolist(), strict=True))
    count = len(batch.models[0])
    fold = {row: 0 if batch.fold is None else int(batch.fold[row]) for row in range(count)}
    picked: Picked = []
    if coverage == "overall":
        picked = [(row, (), row_fold) for row, row_fold in fold.items()]
    else:
        for row, segment in entries:
            if coverage == "largest_only" and not large[segment]:
                continue
            if coverage == "small_only" and large[segment]:
                continue
            together = coverage == "largest" and not large[segment]
            picked.append((row, segments.keys[segment], 0 if together else fold[row]))
    return [(-1.0 - row if model else float(row), key, row_fold) for row, key, row_fold in picked]


def picked_by(batch: Batch, found: tuple[Scored, Segments] | None) -> Picked | None:
    if found is None:
        return None
    scored, segments = found
    # An entry of what a statistic measures is a row.
    assert segments.rows is None
    assert len(scored) == len(segments)
    assert (segments.fold is None) == (batch.fold is None)
    fold = np.zeros(len(scored), int) if segments.fold is None else segments.fold
    if segments.by_fold is not None:
        fold = np.where(segments.by_fold[segments.index], fold, 0)
    keys = [segments.keys[segment] for segment in segments.index.tolist()]
    return list(zip(scored.score.ravel().tolist(), keys, fold.tolist(), strict=True))


@law
@given(batches(), st.permutations(list(itertools.product(get_args(Coverage), (0, 1)))))
def test_every_coverage_picks_its_rows(batch: Batch, asked: list[tuple[Coverage, int]]) -> None:
    measurement = PassBatch(batch.models, batch.segments_of_pass, batch.fold)
    for coverage, model in [*asked, asked[0]]:
        expected = by_hand(batch, coverage, model)
        found = picked_by(batch, measurement.of(coverage, model))
        assert found == (expected if expected or coverage == "overall" else None)


def test_small_and_large_segments_are_all_segments() -> None:
    keys: list[Key] = [(("pass", "int", number),) for number in range(3)]
    index, of = np.array([0, 1, 2, 0, 2]), np.array([0, 0, 1, 2, 3])
    top_slice = np.array([True, False, True])
    segments_of_pass = Pass(Segments(index, keys, of), [(key,) for key in keys], top_slice)
    batch = Batch([scored_of(np.arange(4))], segments_of_pass, np.array([1, 0, 2, 1]))
    measurement = PassBatch(batch.models, segments_of_pass, batch.fold)
    first, second, third = keys
    whole = [
        (0.0, first, 1),
        (0.0, second, 1),
        (1.0, third, 0),
        (2.0, first, 2),
        (3.0, third, 1),
    ]
    assert picked_by(batch, measurement.of("all", 0)) == whole
    assert picked_by(batch, measurement.of("largest_only", 0)) == [whole[0], *whole[2:]]
    assert picked_by(batch, measurement.of("small_only", 0)) == [whole[1]]
    # By fold in the large ones, together in the small one.
    together = [whole[0], (0.0, second, 0), *whole[2:]]
    assert picked_by(batch, measurement.of("largest", 0)) == together


def test_rows_are_taken_once_for_all_statistics() -> None:
    keys: list[Key] = [(("pass", "int", 0),)]
    of = np.array([0, 2])
    segments = Segments(np.zeros(2, np.int64), keys, of)
    segments_of_pass = Pass(segments, [(keys[0],)], np.array([True]))
    measurement = PassBatch([scored_of(np.arange(3))], segments_of_pass, None)
    found = [measurement.of(coverage, 0) for coverage in ("all", "largest", "largest_only")]
    assert len({id(taken[0]) for taken in found if taken is not None}) == 1
    assert measurement.of("small_only", 0) is None


BOTH = plan_of(
    "heads: {h: {type: binary, logits: s, label: y, weight: w, baseline: {probability: p}}}"
)
CLASSES = plan_of("heads: {h: {type: multi_class, n_classes: 9, logits: c, label: y}}")
LABELS = plan_of(
    "heads: {h: {type: multi_label, n_classes: 6, logits: c, label: {column: y, form: multi_hot}}}"
)


def score_columns(plan: Plan, columns: dict[str, Any]) -> Scored:
    rows = rows_of(columns)
    hashes = row_identity(rows.path, rows.numbers)
    return score_rows(plan.heads["h"], extract(plan.heads["h"].config, rows), hashes)


COLUMNS = {"s": [0.5, -1.0], "p": [0.25, 1.0], "y": [1, 0], "w": [2.0, 0.0]}


def test_a_baseline_is_scored_as_its_columns_say() -> None:
    scored = score_columns(BOTH, COLUMNS)
    candidate, baseline = measured_models(scored, 4)
    assert candidate.passes == baseline.passes == 4
    assert candidate.score.ravel().tolist() == COLUMNS["s"]
    assert baseline.score.ravel().tolist() == baseline.probability.ravel().tolist() == COLUMNS["p"]
    for model in (candidate, baseline):
        assert model.label.ravel().tolist() == COLUMNS["y"]
        assert model.weight is not None
        assert model.weight.tolist() == COLUMNS["w"]
    assert baseline.loss.tolist() == pytest.approx([-np.log(0.25), np.inf])
    alone = plan_of("heads: {h: {type: binary, logits: s, label: y}}")
    assert len(measured_models(score_columns(alone, COLUMNS), 1)) == 1


def test_a_row_without_weight_adds_nothing_though_its_loss_is_infinite() -> None:
    scored = replace(score_columns(BOTH, COLUMNS), loss=np.array([0.5, np.inf]))
    (candidate, _) = measured_models(scored, 1)
    state = measure_state(RowSums(values=("loss",), weighted=True), candidate, Segments.overall(2))
    assert state.by_segment("loss").tolist() == [1.0]


def test_losses_without_weights_do_not_depend_on_the_batch() -> None:
    statistic = RowSums(values=("loss",), weighted=True, keep_unweighted=True)
    parts = [
        replace(score_columns(BOTH, COLUMNS | {"w": [0.0, 0.0]}), loss=np.array(loss))
        for loss in ([0.5, 0.25], [0.125, np.inf])
    ]
    whole = replace(parts[0], **{n: joined(parts, n) for n in ("score", "probability", "label")})
    whole = replace(whole, **{name: joined(parts, name) for name in ("loss", "weight")})
    states = [
        measure_state(statistic, measured_models(part, 1)[0], Segments.overall(len(part)))
        for part in (*parts, whole)
    ]
    assert same(merge(states[:2]), states[2])


def joined(parts: list[Scored], name: str) -> npt.NDArray[Any]:
    return np.concatenate([getattr(part, name) for part in parts])


def hashes_of(plan: Plan, columns: dict[str, Any]) -> list[int]:
    """What is added up of each row to know it again."""
    values = VALUES["identity"](score_columns(plan, columns))
    assert (np.abs(values) < 2.0**9).all()
    scaled = np.ldexp(values, 26)
    assert (scaled == np.trunc(scaled)).all()
    return [int(value) for value in scaled]


def test_the_hash_of_a_row_depends_on_its_place_label_and_weight() -> None:
    hashes = hashes_of(BOTH, COLUMNS)
    assert hashes_of(BOTH, COLUMNS) == hashes
    # Not on scores, nor on the sign of zero.
    assert hashes_of(BOTH, COLUMNS | {"s": [3.0, 4.0], "p": [0.0, 0.5]}) == hashes
    assert hashes_of(BOTH, COLUMNS | {"w": [2.0, -0.0]}) == hashes
    for changed in ({"y": [0, 0]}, {"w": [3.0, 0.0]}, {"w": [1.0, 0.0]}):
        other = hashes_of(BOTH, COLUMNS | changed)
        assert other[0] != hashes[0]
        assert other[1] == hashes[1]
    again = hashes_of(BOTH, {name: values[::-1] for name, values in COLUMNS.items()})
    assert not set(hashes) & set(again)
    assert score_rows(BOTH.heads["h"], extract(BOTH.heads["h"].config, rows_of(COLUMNS)), None)


SWAPS = 1500


@pytest.mark.parametrize(
    ("labels", "weights"),
    [((0, 1), (1.0, 1.0)), ((0, 0), (1.0, 3.0)), ((0, 0), (1.0, 2.0))],
)
def test_rows_do_not_swap_labels_or_weights_unnoticed(
    labels: tuple[int, int], weights: tuple[float, float]
) -> None:
    columns = {"s": [0.0] * (2 * SWAPS), "p": [0.5] * (2 * SWAPS)}
    sums = []
    for step in (1, -1):
        added = {"y": [*labels[::step]] * SWAPS, "w": [*weights[::step]] * SWAPS}
        found = hashes_of(BOTH, columns | added)
        sums.append([sum(pair) for pair in zip(found[::2], found[1::2], strict=True)])
    assert sum(straight == swapped for straight, swapped in zip(*sums, strict=True)) == 0


def test_rows_do_not_swap_classes_unnoticed() -> None:
    columns = {"c": [[0.0] * 9] * (2 * SWAPS)}
    for first, second in ((2, 5), (0, 7)):
        sums = []
        for pair in ([first, second], [second, first]):
            found = hashes_of(CLASSES, columns | {"y": pair * SWAPS})
            sums.append([sum(hashes) for hashes in zip(found[::2], found[1::2], strict=True)])
        assert sum(straight == swapped for straight, swapped in zip(*sums, strict=True)) == 0


def test_every_set_of_classes_has_a_hash_of_its_own() -> None:
    sets = list(itertools.product([0, 1], repeat=6))
    # Every set at one place.
    found = {hashes_of(LABELS, {"c": [[0.0] * 6], "y": [list(multi_hot)]})[0] for multi_hot in sets}
    assert len(found) == len(sets)
