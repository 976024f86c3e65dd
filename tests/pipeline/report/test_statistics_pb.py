"""Statistics of slices: what the states say, against the rows themselves, through the package."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import statistics_pb2

from heads.statistics import OVERALL, Key, State
from pipeline.evaluate import evaluate
from pipeline.evaluation.state_key import StateKey, by_statistic
from pipeline.report import statistics_pb
from pipeline.report.statistics_pb import statistics_bytes
from pipeline.results.distributions import slice_statistics
from pipeline.results.feature_statistics import (
    Buckets,
    NumericFeature,
    SliceStatistics,
    TextFeature,
)
from pipeline.results.partition import partition_of
from tests.pipeline.tables import law, plan_of

A: Key = (("c", "string", "a"),)
Feature = statistics_pb2.FeatureNameStatistics


def parsed(slices: list[SliceStatistics]) -> dict[str, Any]:
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(statistics_bytes(slices))
    return {dataset.name: dataset for dataset in found.datasets}


def of_table(config: str, table: pa.Table) -> list[SliceStatistics]:
    plan = plan_of(config)
    partitions: dict[tuple[str, int], dict[StateKey, State]] = {}
    for key, state in evaluate(table, plan).states.items():
        partitions.setdefault(partition_of(key), {})[key] = state
    found = []
    for (name, _), states in partitions.items():
        head, measured = plan.heads[name], by_statistic(states)
        keys = [*measured[head.counting].keys, (("c", "x", "y"),)]
        found += slice_statistics(head, measured, keys)
    return found


def features(config: str, columns: dict[str, Any], name: str = "All Examples") -> dict[str, Any]:
    dataset = parsed(of_table(config, pa.table(columns)))[name]
    return {"/".join(feature.path.step): feature for feature in dataset.features}


def counts(histogram: Any) -> list[tuple[float, float, float]]:
    return [(b.low_value, b.high_value, b.sample_count) for b in histogram.buckets]


def in_buckets(
    histogram: Any, values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> list[float]:
    """The weights in each bucket, one bucket after another."""
    out = []
    last = len(histogram.buckets) - 1
    for i, bucket in enumerate(histogram.buckets):
        inside = (values >= bucket.low_value) & (values < bucket.high_value)
        if i == last:
            inside |= values == bucket.high_value
        out.append(float(weights[inside].sum()))
    return out


SCORES = st.sampled_from([0.0, -0.0, 0.25, 1.0, -3.5, 1e-300, -2.5]) | st.floats(
    -1e6, 1e6, width=32
)
ROWS = st.lists(
    st.tuples(SCORES, st.sampled_from([0.0, 1.0]), st.integers(0, 8), st.sampled_from("ab")),
    min_size=1,
    max_size=40,
)


@pytest.mark.slow
@law
@given(ROWS, st.booleans(), st.booleans())
def test_a_binary_head_is_described_exactly(
    rows: list[tuple[float, float, int, str]], weighted: bool, folds: bool
) -> None:
    score, label, weight, group = (np.array(column) for column in zip(*rows, strict=True))
    table = pa.table({"s": score, "y": label, "w": weight / 4, "c": group})
    keys = "type: binary, logits: s, label: y" + ", weight: w" * weighted
    config = f"slices: [c]\nheads: {{h: {{{keys}}}}}"
    config += "\nconfidence: {folds: 0}" * (not folds)
    found = parsed(of_table(config, table))
    assert set(found) == {"All Examples", *(f"c={name}" for name in set(group))}
    for name, dataset in found.items():
        in_slice = np.array([name in ("All Examples", f"c={value}") for value in group])
        check_binary(
            dataset, score[in_slice] + 0.0, label[in_slice], weight[in_slice] / 4, weighted, folds
        )


def check_binary(
    dataset: Any,
    score: npt.NDArray[np.float64],
    label: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    weighted: bool,
    folds: bool,
) -> None:
    n, total = len(score), float(weight.sum())
    assert dataset.num_examples == n
    assert dataset.weighted_num_examples == (total if weighted else 0)
    by_column = {feature.path.step[0]: feature for feature in dataset.features}
    assert list(by_column) == (["s", "y", "w"] if weighted else ["s", "y"])
    for column, values in (("s", score), ("y", label)):
        stats = by_column[column].num_stats
        assert by_column[column].type == Feature.FLOAT
        assert not by_column[column].custom_stats
        common = stats.common_stats
        assert (common.num_non_missing, common.num_missing, common.tot_num_values) == (n, 0, n)
        assert (common.min_num_values, common.max_num_values, common.avg_num_values) == (1, 1, 1)
        assert stats.mean == pytest.approx(values.mean(), rel=1e-12, abs=1e-12)
        assert stats.std_dev == pytest.approx(values.std(), rel=1e-9, abs=1e-9)
        assert (stats.min, stats.max) == (values.min(), values.max())
        assert stats.num_zeros == np.count_nonzero(values == 0)
        (histogram,) = stats.histograms
        assert len(histogram.buckets) <= 100
        assert in_buckets(histogram, values, np.ones(n)) == [b[2] for b in counts(histogram)]
        assert sum(b[2] for b in counts(histogram)) == n
        edges = [histogram.buckets[0].low_value, *(b.high_value for b in histogram.buckets)]
        assert edges == sorted(edges)
        assert edges[1:-1] == [b.low_value for b in histogram.buckets][1:]
        assert stats.HasField("weighted_numeric_stats") == weighted
        if weighted:
            assert common.weighted_common_stats.num_non_missing == total
            (histogram,) = stats.weighted_numeric_stats.histograms
            assert in_buckets(histogram, values, weight) == [b[2] for b in counts(histogram)]
        if weighted and total:
            mean = np.average(values, weights=weight)
            spread = math.sqrt(np.average((values - mean) ** 2, weights=weight))
            assert stats.weighted_numeric_stats.mean == pytest.approx(mean, rel=1e-12, abs=1e-12)
            assert stats.weighted_numeric_stats.std_dev == pytest.approx(spread, rel=1e-9, abs=1e-9)
    if weighted:
        stats = by_column["w"].num_stats
        assert stats.mean == pytest.approx(weight.mean(), rel=1e-15)
        spread = float(weight.std()) if folds else 0.0
        assert stats.std_dev == pytest.approx(spread, rel=1e-9, abs=1e-12)
        assert not stats.histograms


def test_a_small_case_by_hand() -> None:
    found = features(
        "heads: {h: {type: binary, probability: p, label: y, weight: w}}",
        {"p": [0.0, 0.5, 1.0, 0.5], "y": [0, 1, 1, 0], "w": [1.0, 2.0, 3.0, 2.0]},
    )
    score, label, weight = (found[name].num_stats for name in "pyw")
    assert (score.mean, score.min, score.max, score.num_zeros) == (0.5, 0.0, 1.0, 1)
    assert score.std_dev == math.sqrt(0.125)
    assert score.weighted_numeric_stats.mean == 5 / 8
    used = [bucket for bucket in counts(score.histograms[0]) if bucket[2]]
    assert [(low, count) for low, _, count in used] == [(0.0, 1), (0.5, 2), (0.99, 1)]
    assert counts(label.histograms[0]) == [(0, 0.5, 2), (0.5, 1, 2)]
    assert counts(label.weighted_numeric_stats.histograms[0]) == [(0, 0.5, 3), (0.5, 1, 5)]
    assert label.weighted_numeric_stats.mean == 5 / 8
    assert (weight.mean, weight.std_dev) == (2.0, math.sqrt(0.5))


def test_soft_labels_have_the_mean_and_the_bounds_that_are_certain() -> None:
    config = "heads: {h: {type: binary, logits: s, label: y}}"
    label = features(config, {"s": [1.0] * 4, "y": [0.25, 0.5, 1.0, 1.0]})["y"].num_stats
    assert (label.mean, label.max, label.num_zeros) == (0.6875, 1.0, 0)
    assert (label.std_dev, label.min) == (0.0, 0.0)  # not known, hence not set
    assert counts(label.histograms[0]) == [(0, 5e-324, 0), (5e-324, 1, 2), (1, 1, 2)]
    ones = features(config, {"s": [1.0], "y": [1]})["y"].num_stats
    assert (ones.min, ones.max) == (1.0, 1.0)
    zeros = features(config, {"s": [1.0], "y": [0]})["y"].num_stats
    assert (zeros.min, zeros.max, zeros.num_zeros) == (0.0, 0.0, 1)


@pytest.mark.parametrize("kind", ["logits", "probability"])
def test_rounded_scores_have_certain_bounds_and_exact_buckets(kind: str) -> None:
    rng = np.random.default_rng(7)
    score = rng.beta(2, 5, 30_000) if kind == "probability" else rng.normal(-1, 3, 30_000)
    weight = rng.integers(1, 5, len(score)).astype(float)
    found = features(
        f"heads: {{h: {{type: binary, {kind}: s, label: y, weight: w}}}}",
        {"s": score, "y": rng.integers(0, 2, len(score)), "w": weight},
    )["s"]
    (rounding,) = found.custom_stats
    assert rounding.name == "value_rounding"
    assert 0 < rounding.num < 0.01
    stats = found.num_stats
    off = rounding.num * np.abs(score).max()
    assert 0 <= score.min() - stats.min <= off
    assert 0 <= stats.max - score.max() <= off
    assert stats.mean == pytest.approx(score.mean(), abs=1e-12 if kind == "probability" else off)
    assert stats.std_dev == pytest.approx(score.std(), abs=off)
    average = np.average(score, weights=weight)
    assert stats.weighted_numeric_stats.mean == pytest.approx(average, abs=off)
    for histogram, by in (
        (stats.histograms[0], np.ones(len(score))),
        (stats.weighted_numeric_stats.histograms[0], weight),
    ):
        assert 90 <= len(histogram.buckets) <= 100
        assert in_buckets(histogram, score, by) == [bucket[2] for bucket in counts(histogram)]


def test_probabilities_stay_within_zero_and_one() -> None:
    score = np.concatenate([np.linspace(0, 1, 40_000), [1.0, 0.0, 5e-324]])
    found = features(
        "heads: {h: {type: binary, probability: s, label: y}}",
        {"s": score, "y": np.arange(len(score)) % 2},
    )["s"]
    stats = found.num_stats
    assert found.custom_stats
    assert (stats.min, stats.max) == (0.0, 1.0)
    assert stats.num_zeros == 2  # the subnormal one is none of them
    assert in_buckets(stats.histograms[0], score, np.ones(len(score))) == [
        bucket[2] for bucket in counts(stats.histograms[0])
    ]


def test_scores_of_any_size_are_described() -> None:
    config = "heads: {h: {type: binary, logits: s, label: y}}"
    top = np.finfo(float).max
    stats = features(config, {"s": [-top, top, 1.0], "y": [0, 1, 1]})["s"].num_stats
    assert (stats.min, stats.max) == (-top, top)
    assert sum(bucket[2] for bucket in counts(stats.histograms[0])) == 3
    assert stats.mean == pytest.approx(1 / 3, abs=1e292)
    assert stats.std_dev == pytest.approx(top * math.sqrt(2 / 3), rel=1e-12)


def test_words_are_counted_under_their_names() -> None:
    config = (
        "heads: {h: {type: binary, logits: s, weight: w,"
        " label: {column: y, vocabulary: [good, bad], positive: good}}}"
    )
    found = features(config, {"s": [1.0] * 3, "y": ["good", "bad", "good"], "w": [1.0, 5.0, 0.5]})[
        "y"
    ]
    assert found.type == Feature.STRING
    stats = found.string_stats
    assert stats.unique == 2
    assert [(word.value, word.frequency) for word in stats.top_values] == [("good", 2), ("bad", 1)]
    ranks = [
        (b.low_rank, b.high_rank, b.label, b.sample_count) for b in stats.rank_histogram.buckets
    ]
    assert ranks == [(0, 0, "good", 2), (1, 1, "bad", 1)]
    weighted = stats.weighted_string_stats
    assert [(word.value, word.frequency) for word in weighted.top_values] == [
        ("bad", 5),
        ("good", 1.5),
    ]


def test_an_element_of_a_list_and_a_baseline_are_columns_of_their_own() -> None:
    found = features(
        "heads: {h: {type: binary, logits: {column: l, index: 1}, label: y,"
        " baseline: {logits: {column: l, index: 0}}}}",
        {"l": [[1.0, 2.0], [3.0, 4.0]], "y": [0, 1]},
    )
    assert list(found) == ["l/1", "l/0", "y"]
    assert [found[name].num_stats.mean for name in found] == [3.0, 2.0, 0.5]


CLASSES = {"l": [[1.0, 0.0, 0.0], [0.0, 0.5, 0.25], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]}


def test_a_multi_class_head_has_its_classes_and_its_probabilities() -> None:
    columns = {**CLASSES, "y": [0, 2, 2, 1], "w": [1.0, 2.0, 3.0, 4.0]}
    head = "type: multi_class, n_classes: 3, label: y, weight: w"
    found = features(f"heads: {{h: {{{head}, probability: l}}}}", columns)
    assert list(found) == ["l", "y", "w"]
    score, label = found["l"].num_stats, found["y"].num_stats
    values = np.array(CLASSES["l"]).ravel()
    assert (score.common_stats.num_non_missing, score.common_stats.tot_num_values) == (4, 12)
    assert score.common_stats.max_num_values == 3
    assert score.mean == pytest.approx(values.mean(), rel=1e-15)
    assert score.std_dev == pytest.approx(values.std(), rel=1e-12)
    assert score.num_zeros == np.count_nonzero(values == 0)
    assert found["y"].type == Feature.INT
    assert (label.mean, label.min, label.max, label.num_zeros) == (1.25, 0, 2, 1)
    assert label.std_dev == pytest.approx(np.std(columns["y"]))
    assert counts(label.histograms[0]) == [(0, 1, 1), (1, 2, 1), (2, 3, 2)]
    assert counts(label.weighted_numeric_stats.histograms[0]) == [(0, 1, 1), (1, 2, 4), (2, 3, 5)]
    assert label.weighted_numeric_stats.mean == 1.4
    # The histogram is of probabilities, and says nothing of logits.
    score = features(f"heads: {{h: {{{head}, logits: l}}}}", columns)["l"].num_stats
    assert score.common_stats.tot_num_values == 12
    assert not score.histograms
    assert score.mean == 0


def test_class_ids_of_many_classes_are_in_few_buckets() -> None:
    labels = np.arange(500) % 250
    found = features(
        "heads: {h: {type: multi_class, n_classes: 250, label: y, probability: l}}",
        {"y": labels, "l": np.eye(250)[labels].tolist()},
    )["y"].num_stats
    edges = [bucket[0] for bucket in counts(found.histograms[0])]
    assert edges == list(range(0, 250, 3))
    assert [bucket[2] for bucket in counts(found.histograms[0])] == [6] * 83 + [2]


@pytest.mark.parametrize("metrics", ["", ", metrics: [accuracy]"])
def test_words_of_a_multi_class_head(metrics: str) -> None:
    found = features(
        "heads: {h: {type: multi_class, n_classes: 3, logits: l,"
        f" label: {{column: y, vocabulary: [x, y, z]}}{metrics}}}}}",
        {**CLASSES, "y": ["x", "z", "z", "y"]},
    )["y"].string_stats
    assert found.unique == 3
    assert [(word.value, word.frequency) for word in found.top_values] == [
        ("z", 2),
        ("x", 1),
        ("y", 1),
    ]


MULTI = "heads: {h: {type: multi_label, n_classes: 3, logits: l, weight: w, label: LABEL}}"


@pytest.mark.parametrize(
    ("label", "rows"),
    [
        ("{column: y, form: ids}", [[0, 2], [2, 2], [], [1]]),
        ("{column: y, form: names, vocabulary: [x, y, z]}", [["x", "z"], ["z"], [], ["y"]]),
        ("{column: y, form: multi_hot}", [[1, 0, 1], [0, 0, 1], [0, 0, 0], [0, 1, 0]]),
    ],
)
def test_a_multi_label_head(label: str, rows: list[list[Any]]) -> None:
    table = {**CLASSES, "y": rows, "w": [1.0, 2.0, 4.0, 8.0]}
    found = features(MULTI.replace("LABEL", label), table)
    score = found["l"].num_stats
    values = np.array(CLASSES["l"]).ravel()
    assert score.mean == pytest.approx(values.mean(), rel=1e-15)
    assert score.common_stats.tot_num_values == 12
    label_feature = found["y"]
    if "names" in label:
        stats = label_feature.string_stats
        assert [(word.value, word.frequency) for word in stats.top_values] == [
            ("z", 2),
            ("x", 1),
            ("y", 1),
        ]
        assert [word.frequency for word in stats.weighted_string_stats.top_values] == [8, 3, 1]
    elif "ids" in label:
        assert counts(label_feature.num_stats.histograms[0]) == [(0, 1, 1), (1, 2, 1), (2, 3, 2)]
        assert label_feature.num_stats.mean == 1.25
    else:
        stats = label_feature.num_stats
        assert (stats.mean, stats.num_zeros, stats.common_stats.tot_num_values) == (4 / 12, 8, 12)
        assert stats.weighted_numeric_stats.mean == pytest.approx((1 + 1 + 2 + 8) / 45)
        return
    common = (
        label_feature.num_stats if "ids" in label else label_feature.string_stats
    ).common_stats
    assert (common.num_non_missing, common.tot_num_values) == (4, 0)  # lists of unknown lengths


def test_what_was_not_measured_is_left_out() -> None:
    config = MULTI.replace("LABEL", "{column: y, form: ids}, metrics: [average_loss]")
    table = {**CLASSES, "y": [[0], [1], [], [2]], "w": [1.0] * 4}
    found = features(config, table)
    assert list(found) == ["l", "y", "w"]
    for name in "ly":
        stats = found[name].num_stats
        assert stats.common_stats.num_non_missing == 4
        assert not stats.histograms
        assert not stats.weighted_numeric_stats.ListFields()
    found = features(config.replace("ids", "multi_hot"), {**table, "y": CLASSES["l"]})
    assert not found["y"].num_stats.histograms


@pytest.mark.parametrize("weight", [0.1, 0.7, 1.3, 3.1, 1e-9, 123.4])
def test_the_spread_of_equal_weights_is_not_made_of_rounding(weight: float) -> None:
    found = features(
        "heads: {h: {type: binary, logits: s, label: y, weight: w}}",
        {"s": [1.0, 2.0], "y": [0, 1], "w": [weight, weight]},
    )["w"].num_stats
    assert found.mean == weight
    assert found.std_dev == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_bytes_do_not_depend_on_the_order_of_rows(seed: int) -> None:
    rng = np.random.default_rng(3)
    n = 20_000
    table = pa.table(
        {
            "s": rng.normal(size=n),
            "y": rng.integers(0, 2, n),
            "w": rng.random(n),
            "c": rng.choice(list("abc"), n, p=[0.9, 0.09, 0.01]),
        }
    )
    config = "slices: [c]\nheads: {h: {type: binary, logits: s, label: y, weight: w}}"
    config += "\nconfidence: {max_slices: 1}"
    order = np.random.default_rng(seed).permutation(n)
    expected = statistics_bytes(of_table(config, table))
    assert statistics_bytes(of_table(config, table.take(order))) == expected


def simple(head: str, key: Key, rows: int) -> SliceStatistics:
    return SliceStatistics(head, key, rows, None, ())


def test_heads_are_told_apart_where_there_are_several() -> None:
    slices = [simple("g", A, 1), simple("h", OVERALL, 2), simple("g", OVERALL, 2)]
    assert list(parsed(slices)) == ["g: All Examples", "g: c=a", "h: All Examples"]


def test_slices_that_read_alike_have_their_keys_for_names() -> None:
    keys: list[Key] = [OVERALL, (("c", "string", "1"),), (("c", "int", 1),), A]
    assert set(parsed([simple("h", key, 1) for key in keys])) == {
        "All Examples",
        '[["c", "string", "1"]]',
        '[["c", "int", 1]]',
        "c=a",
    }


def test_the_slices_of_most_rows_are_kept_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics_pb, "MAX_SLICES", 3)
    slices = [simple("h", ((("c", "int", i)),), rows) for i, rows in enumerate([5, 9, 7, 9, 1])]
    slices.append(simple("h", OVERALL, 31))
    expected = ["All Examples", "c=1", "c=3", "c=2"]
    for seed in range(5):
        random.Random(seed).shuffle(slices)
        assert list(parsed(slices)) == expected


def test_text_that_is_not_utf8_and_sums_that_are_not_finite_are_no_crash() -> None:
    feature = NumericFeature(
        ("s\udcff",),
        False,
        1,
        mean=math.nan,
        high=math.inf,
        weight=math.inf,
        weighted_mean=math.nan,
    )
    words = TextFeature(("y",), 1, counts=(("\ud800", 1), ("never", 0)))
    (found,) = parsed([SliceStatistics("h", OVERALL, 1, math.inf, (feature, words))]).values()
    assert found.features[0].path.step[0] == "s\\udcff"
    assert (found.weighted_num_examples, found.features[0].num_stats.mean) == (0, 0)
    assert found.features[1].string_stats.unique == 1
    assert [b.label for b in found.features[1].string_stats.rank_histogram.buckets] == ["\\ud800"]


def test_long_vocabularies_are_cut() -> None:
    counts_ = tuple((f"w{i:03}", 500 - i) for i in range(300))
    stats = parsed(
        [SliceStatistics("h", OVERALL, 1, None, (TextFeature(("y",), 1, counts=counts_),))]
    )
    found = stats["All Examples"].features[0].string_stats
    assert (found.unique, len(found.rank_histogram.buckets), len(found.top_values)) == (
        300,
        100,
        20,
    )
    assert found.rank_histogram.buckets[99].label == "w099"


def test_the_bytes_of_equal_slices_are_equal() -> None:
    def written() -> bytes:
        buckets = Buckets((0.0, 1.0), (3,), (0.1 + 0.2,))
        feature = NumericFeature(
            ("s",), False, 3, mean=0.5, weight=0.3, buckets=buckets, rounding=0.1
        )
        return statistics_bytes([SliceStatistics("h", OVERALL, 3, 0.3, (feature,))])

    assert written() == written() != b""
