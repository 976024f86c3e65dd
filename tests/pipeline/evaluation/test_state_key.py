"""What states are known by: the same in every run, process and release."""

from __future__ import annotations

import numpy as np
import pytest

from heads.statistics import (
    OVERALL,
    ConfusionMatrix,
    Key,
    RowSums,
    Scored,
    ScoreHistogram,
    Segments,
    Statistic,
    ThresholdCounts,
    merge,
    same,
)
from heads.statistics.measure import measure_state
from heads.statistics.state import zero_state
from pipeline.evaluation.head_plan import ModelStatistic
from pipeline.evaluation.state_key import StateKey, by_statistic, parse_state_key, split
from tests.pipeline.tables import plan_of

MEASURED = ModelStatistic(1, RowSums(values=("loss",)))


def test_a_state_is_split_without_loss() -> None:
    keys: list[Key] = [OVERALL, *((("c", "int", i),) for i in range(40))]
    partitions = {key: 0 if key == OVERALL else 1 + place % 7 for place, key in enumerate(keys)}
    index = np.arange(200) % len(keys)
    ones = np.ones((200, 1))
    scored = Scored(ones, ones, ones, np.arange(200.0))
    state = measure_state(MEASURED.statistic, scored, Segments(index, keys))
    parts = split("h", MEASURED, state, partitions)
    assert len({key for key, _ in parts}) == len(parts) == 8
    for key, part in parts:
        assert key.series == ("h", 1, MEASURED.statistic.digest)
        assert {partitions[segment] for segment in part.keys} == {key.partition}
    assert same(merge([part for _, part in parts]), state)
    assert split("h", MEASURED, zero_state(MEASURED.statistic), partitions) == []


def test_the_text_of_a_key_is_read_again() -> None:
    key = StateKey.of("click", MEASURED, 17)
    assert str(key) == f"click/1/{MEASURED.statistic.digest}/17"
    assert parse_state_key(str(key)) == key
    with pytest.raises(ValueError, match="unpack"):
        parse_state_key("click/0/17")


@pytest.mark.parametrize(
    ("statistic", "digest"),
    [
        (RowSums(values=("loss",)), "2374c415ad898a59"),
        (ThresholdCounts(cuts=(0.0, 0.5), weighted=True), "e9b0b61071520b73"),
        (ScoreHistogram(), "7a87db43598605c4"),
        (ConfusionMatrix(classes=3, coverage="largest_only"), "abc562dbddbf72c1"),
    ],
)
def test_digests_are_for_ever(statistic: Statistic, digest: str) -> None:
    """States of older runs are found by them: if this fails, older runs cannot be compared."""
    assert statistic.digest == digest


def test_a_digest_tells_all_that_is_measured_apart() -> None:
    heads = plan_of(
        "heads:\n"
        "  b: {type: binary, logits: s, label: y, weight: w, thresholds: [0.2],"
        " baseline: {logits: t}}\n"
        "  m: {type: multi_class, n_classes: 3, logits: c, label: k}"
    ).heads.values()
    for head in heads:
        statistics = {measured.statistic for measured in head.measured}
        assert len({statistic.digest for statistic in statistics}) == len(statistics)


def test_parameters_that_are_default_are_no_part_of_a_digest() -> None:
    plain = RowSums(values=("loss",))
    assert plain.parameters() == {"values": ("loss",)}
    assert RowSums(values=("loss",), folds=1, coverage="all").digest == plain.digest
    assert RowSums(values=("loss",), folds=2).digest != plain.digest


def test_a_state_is_of_the_statistic_that_its_key_says() -> None:
    state = zero_state(MEASURED.statistic)
    assert by_statistic({StateKey.of("h", MEASURED): state}) == {MEASURED: state}
    with pytest.raises(ValueError, match="another statistic"):
        by_statistic({StateKey("h", 1, "0" * 16): state})
