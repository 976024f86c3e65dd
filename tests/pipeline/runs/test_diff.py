"""Two finished runs against one run of both models, and against what may not be compared."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from heads.statistics import RowSums
from heads.statistics.codec import decode, encode
from heads.statistics.exact import ExactColumn
from heads.statistics.state import zero_state
from heads.statistics.summands import Summand
from pipeline.errors.problems import ConfigError
from pipeline.evaluate import evaluate
from pipeline.evaluation.head_plan import identity_statistic
from pipeline.evaluation.state_key import StateKey
from pipeline.extract.folds import folds_by_key, folds_by_row
from pipeline.report.report_json import report_bytes
from pipeline.report.text.difference import render_diff
from pipeline.results.run_states import RunStates
from pipeline.results.stack import NO_FOLDS
from pipeline.runs.diff import diff
from pipeline.runs.load import load_run
from pipeline.runs.states_zip import unzip_states, zip_states
from tests.pipeline.tables import plan_of
from tests.pipeline.whole_runs import (
    BINARY,
    FOLDS,
    KEYED,
    Finish,
    config,
    entries,
    seal,
    table,
    with_column,
)

A = [{"column": "g", "kind": "string", "value": "a"}]


@pytest.fixture
def finish(tmp_path: Path) -> Finish:
    return Finish(tmp_path)


HEADS = {
    "binary": (BINARY.split(", metrics")[0], "s", "t", "baseline: {{logits: t}}"),
    "contrib": (
        "contrib_binary, logits: {score}, label: y",
        "s",
        "t",
        "baseline: {{logits: t}}",
    ),
    "classes": (
        "multi_class, n_classes: 3, logits: {score}, label: k, weight: w, class_metrics: [1]",
        "c",
        "d",
        "baseline: {{logits: d}}",
    ),
    "labels": (
        "multi_label, n_classes: 3, logits: {score}, label: {{column: tags, form: multi_hot}}",
        "c",
        "d",
        "baseline: {{logits: d}}",
    ),
}


@pytest.mark.parametrize("head", HEADS)
def test_runs_of_the_same_rows_differ_as_two_models_of_one_run(head: str, finish: Finish) -> None:
    keys, candidate, baseline, both = HEADS[head]
    found = diff(
        *(
            finish(config(score, slices="[g, {columns: [g, k]}]", head=keys))
            for score in (baseline, candidate)
        )
    )
    comparison = found["heads"]["h"]
    assert (comparison["paired"], comparison["unpaired_because"]) == (True, None)
    text = config(candidate, slices="[g, {columns: [g, k]}]", head=f"{keys}, {both}")
    expected = evaluate(table(), plan_of(text)).report
    assert comparison["headline"] == expected["heads"]["h"]["headline"]
    assert comparison["worse"] == expected["heads"]["h"]["worse"]
    assert comparison["causes"] == expected["heads"]["h"]["causes"]
    found_entries, other = entries(found), entries(expected)
    assert list(found_entries) == list(other)
    assert len(found_entries) > 10
    for key, entry in found_entries.items():
        assert entry["examples"] == other[key]["examples"]
        assert entry["small"] == other[key]["small"]
        # To the last digit: value, error, interval and p-value.
        assert entry["difference"] == other[key]["difference"]
        for model, metrics in (
            ("candidate", other[key]["metrics"]),
            ("baseline", other[key]["baseline"]["metrics"]),
        ):
            assert entry[model] == {name: metric["value"] for name, metric in metrics.items()}
    intervals = [
        m for e in found_entries.values() for m in e["difference"].values() if "p_worse" in m
    ]
    assert len(intervals) > 50


def test_a_run_does_not_differ_from_itself(finish: Finish) -> None:
    run = finish(config())
    found = diff(run, run)
    assert found["heads"]["h"]["paired"]
    assert found["heads"]["h"]["worse"] == []
    for entry in entries(found).values():
        for metric in entry["difference"].values():
            assert metric["value"] in (0, None)
            assert "lower" not in metric


class CountedLooks(tuple[Any, ...]):
    """Keys of a state that count how often all of them are gone through."""

    looks = 0

    def __iter__(self) -> Any:
        CountedLooks.looks += 1
        return super().__iter__()

    def index(self, *arguments: Any) -> int:
        CountedLooks.looks += 1
        return super().index(*arguments)


def test_the_slices_of_states_are_not_gone_through_for_every_slice(
    finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    for together in (99, 1):
        run = finish(config())
        states = {
            measured: replace(state, keys=CountedLooks(state.keys))
            for measured, state in run.states["h"].items()
        }
        run = replace(run, states={"h": states})
        monkeypatch.setattr("pipeline.runs.diff._TOGETHER", together)
        CountedLooks.looks = 0
        assert len(entries(diff(run, run))) > 3
        looks.append(CountedLooks.looks)
    assert looks[0] == looks[1]


def test_other_is_compared_where_it_is_of_the_same_rows(finish: Finish) -> None:
    # Of the values a and b, and null, one or two are kept.
    first, same, more = (
        finish(config(slices=f"[{{column: g, max_slices: {most}}}]")) for most in (1, 1, 2)
    )
    kinds = {}
    for name, candidate in (("same", same), ("more", more)):
        found = diff(first, candidate)["heads"]["h"]
        assert found["paired"]
        assert found["worse"] == []
        kinds[name] = [entry["slice"][0]["kind"] for entry in found["slices"][1:]]
    assert kinds == {"same": ["string", "other"], "more": ["string"]}


def test_what_is_worse_is_what_the_report_of_both_models_says(finish: Finish) -> None:
    runs = [finish(config(score, more="min_slice_size: 120")) for score in ("s", "t")]
    found = diff(*runs)["heads"]["h"]
    text = config("t", head=BINARY + ", baseline: {{logits: s}}", more="min_slice_size: 120")
    expected = evaluate(table(), plan_of(text)).report["heads"]["h"]
    assert found["worse"] == expected["worse"]
    assert len(found["worse"]) > 5
    assert found["causes"] == expected["causes"]
    assert found["causes"]
    assert {entry["small"] for entry in found["slices"]} == {True, False}
    # Neither is the other way round.
    assert len(diff(*runs[::-1])["heads"]["h"]["worse"]) < len(found["worse"])


# Two rows of one fold by file and number, with unlike labels and weights.
def two_rows() -> list[int]:
    fold = folds_by_row("part-0.parquet", np.arange(len(table())), FOLDS)
    labels = table()["y"].to_numpy()
    first = int(np.flatnonzero((fold == 0) & (labels == 0))[0])
    second = int(np.flatnonzero((fold == 0) & (labels == 1))[0])
    return [first, second]


def swapped(name: str) -> pa.Table:
    values = table()[name].to_numpy().copy()
    values[two_rows()] = values[two_rows()[::-1]]
    return with_column(name, values)


def reversed_rows() -> pa.Table:
    return table().take(pa.array(np.arange(len(table()))[::-1]))


BY_ROW = config(confidence=f"folds: {FOLDS}")
SAW_OTHERS = "the runs saw different rows, or rows in other files, labels or weights"
OTHER_RUNS: dict[str, tuple[Callable[[], pa.Table], str, str, str | None]] = {
    "the same": (table, "part-0.parquet", BY_ROW, None),
    "another score": (table, "part-0.parquet", config("t", f"folds: {FOLDS}"), None),
    "another level": (table, "part-0.parquet", config("t", f"folds: {FOLDS}, level: 0.9"), None),
    "other slices": (table, "part-0.parquet", config("t", f"folds: {FOLDS}", "[k]"), None),
    "another file": (table, "part-1.parquet", BY_ROW, SAW_OTHERS),
    "one row less": (lambda: table().slice(0, 499), "part-0.parquet", BY_ROW, SAW_OTHERS),
    "other rows": (lambda: table(500, 9), "part-0.parquet", BY_ROW, SAW_OTHERS),
    "another order": (reversed_rows, "part-0.parquet", BY_ROW, SAW_OTHERS),
    "labels of two rows": (lambda: swapped("y"), "part-0.parquet", BY_ROW, SAW_OTHERS),
    "weights of two rows": (lambda: swapped("w"), "part-0.parquet", BY_ROW, SAW_OTHERS),
    "weights": (
        lambda: with_column("w", table()["w"].to_numpy() + 0.25),
        "part-0.parquet",
        BY_ROW,
        SAW_OTHERS,
    ),
    "no weights": (
        table,
        "part-0.parquet",
        BY_ROW.replace(", weight: w", ""),
        SAW_OTHERS,
    ),
    "a key": (
        table,
        "part-0.parquet",
        config(),
        "the runs have different keys ('confidence.key')",
    ),
    "no folds": (table, "part-0.parquet", config("s", "folds: 0"), "a run was made without folds"),
}


@pytest.mark.parametrize("name", OTHER_RUNS)
def test_rows_are_paired_if_they_are_the_same(name: str, finish: Finish) -> None:
    rows, file, text, reason = OTHER_RUNS[name]
    first, second = finish(BY_ROW), finish(text, rows(), file)
    for runs in ((first, second), (second, first)):
        found = diff(*runs)["heads"]["h"]
        assert (found["paired"], found["unpaired_because"]) == (reason is None, reason)
        if name == "no folds":
            # Whichever of the two has none.
            reasons = {
                metric["no_interval"]
                for entry in found["slices"]
                for metric in entry["difference"].values()
            }
            assert reasons == {NO_FOLDS}
    # The rows of both are the same, and the scores are not.
    metric = diff(first, second)["heads"]["h"]["slices"][0]["difference"]["average_loss"]
    assert ("lower" in metric) == (name not in ("the same", "no folds"))


def test_runs_of_other_numbers_of_folds_are_not_paired(finish: Finish) -> None:
    first, second = finish(BY_ROW), finish(config("t", "folds: 20"))
    found = diff(first, second)["heads"]["h"]
    assert found["unpaired_because"] == "the runs have 12 and 20 folds"
    assert "lower" in found["slices"][0]["difference"]["average_loss"]


def test_rows_of_other_keys_are_not_paired(finish: Finish) -> None:
    first = finish(config())
    moved = finish(config("t"), with_column("id", table()["other_id"]))
    assert diff(first, moved)["heads"]["h"]["unpaired_because"] == SAW_OTHERS
    renamed = finish(config("t", KEYED.replace("id", "other_id")))
    assert "different keys" in diff(first, renamed)["heads"]["h"]["unpaired_because"]


LABELS = config("c", f"folds: {FOLDS}", head=HEADS["labels"][0].replace("3", "4"))


def test_every_set_of_labels_is_told_from_others(finish: Finish) -> None:
    rows = 60
    columns = {"c": [[0.5, 1, 2, 3]] * rows, "g": ["a"] * rows}
    sets = [[0, 1, 1, 0], [1, 0, 0, 1]]
    first, second = (
        finish(LABELS, pa.table(columns | {"tags": [labels] + [sets[0]] * (rows - 1)}))
        for labels in sets
    )
    assert not diff(first, second)["heads"]["h"]["paired"]


@cache
def with_replicates(rows: int, score: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The metrics of the first rows, and those without each of the folds that have rows."""
    plan, some = plan_of(config(score, "folds: 0", "[]")), table().slice(0, rows)
    fold = folds_by_key(some["id"].combine_chunks(), FOLDS)
    parts = [some.filter(pa.array(fold != left_out)) for left_out in sorted(set(fold.tolist()))]
    whole, *others = (
        evaluate(part, plan).report["heads"]["h"]["slices"][0]["metrics"] for part in (some, *parts)
    )
    return whole, others


@pytest.mark.parametrize("name", ["average_loss", "accuracy", "roc_auc", "auc"])
def test_errors_of_other_rows_are_those_of_welch(name: str, finish: Finish) -> None:
    less = table().slice(0, 380)
    found = diff(finish(config()), finish(config("t"), less))["heads"]["h"]
    assert not found["paired"]
    metric = found["slices"][0]["difference"][name]
    means, errors, counts = [], [], []
    for rows, score in ((less, "t"), (table(), "s")):
        fold = folds_by_key(rows["id"].combine_chunks(), FOLDS)
        whole, others = with_replicates(len(rows), score)
        replicates = [metrics[name]["value"] for metrics in others]
        count = len(replicates)
        squared = (count - 1) ** 2 / count * np.var(replicates, ddof=1)
        means.append(whole[name]["value"])
        label, weight = (rows[column].to_numpy() for column in "yw")
        sizes = {
            kind: weight[label == kind].sum() ** 2 / (weight[label == kind] ** 2).sum()
            for kind in (0, 1)
        }
        support = np.ones(len(label), bool)
        if name in ("roc_auc", "auc"):
            support = label == min(sizes, key=sizes.__getitem__)
            squared += means[-1] * (1 - means[-1]) / (2 * min(sizes.values()) ** 2)
        errors.append(math.sqrt(squared))
        mass = np.bincount(fold[support], weight[support] ** 2)
        # Degrees of freedom and 1.
        counts.append(mass.sum() ** 2 / (mass**2).sum())
    # Scipy's test of two samples that have these means and errors of the mean.
    deviations = [error * math.sqrt(n) for error, n in zip(errors, counts, strict=True)]
    samples = [n for sample in zip(means, deviations, counts, strict=True) for n in sample]
    worse = "greater" if name == "average_loss" else "less"
    test = stats.ttest_ind_from_stats(*samples, equal_var=False, alternative=worse)
    difference, error = means[0] - means[1], math.hypot(*errors)
    assert metric["value"] == pytest.approx(difference, rel=1e-12)
    # Squares of weights are kept to few digits.
    assert metric["standard_error"] == pytest.approx(error, rel=1e-6)
    assert metric["p_worse"] == pytest.approx(test.pvalue, rel=1e-6)
    # Both ends have a test whose two-sided p-value is what the level leaves.
    for end in (metric["lower"], metric["upper"]):
        samples[0] = means[1] + difference - end
        test = stats.ttest_ind_from_stats(*samples, equal_var=False)
        assert test.pvalue == pytest.approx(0.05, rel=1e-5)


def test_a_slice_whose_rows_moved_is_not_paired_though_all_rows_are(finish: Finish) -> None:
    groups = np.array(table()["g"].to_pylist(), object)
    groups[np.flatnonzero(groups == "a")[:5]] = "b"
    first, second = finish(config()), finish(config("t"), with_column("g", groups))
    found = diff(first, second)
    assert found["heads"]["h"]["paired"]
    text = config("t", head=BINARY + ", baseline: {{logits: s}}")
    paired = entries({"heads": evaluate(table(), plan_of(text)).report["heads"]})
    found_entries = entries(found)
    alone = entries({"heads": evaluate(table(), plan_of(config("s"))).report["heads"]})
    changed = with_column("g", groups)
    other = entries({"heads": evaluate(changed, plan_of(config("t"))).report["heads"]})
    for key, entry in found_entries.items():
        for name, metric in entry["difference"].items():
            if "standard_error" not in metric:
                continue
            if "string" not in key:
                assert metric == paired[key]["difference"][name]
                continue
            errors = (run[key]["metrics"][name]["standard_error"] for run in (alone, other))
            assert metric["standard_error"] == pytest.approx(math.hypot(*errors), rel=1e-12)
    assert sum("string" in key for key in found_entries) == 2


def test_slices_of_one_run_alone_are_left_out(finish: Finish) -> None:
    first = finish(config(slices="[g, k]"))
    groups = ["b" if group is None else group for group in table()["g"].to_pylist()]
    second = finish(config("t", slices="[{column: k, values: [2]}, g]"), with_column("g", groups))
    found = diff(first, second)["heads"]["h"]
    kept = [[c["value"] for c in entry["slice"]] for entry in found["slices"]]
    assert kept == [[], [2], ["a"], ["b"]]
    assert {len(worsened["slice"]) for worsened in found["worse"]} <= {0, 1}
    # The other way round in the order of the other run.
    kept = [[c["value"] for c in e["slice"]] for e in diff(second, first)["heads"]["h"]["slices"]]
    assert kept == [[], ["a"], ["b"], [2]]


def test_metrics_and_heads_of_one_run_alone_are_left_out(finish: Finish) -> None:
    first = finish(config("s", head=BINARY.replace("label/mean", "recall")))
    text = config("t") + f"\n  more: {{type: {BINARY.format(score='s')}}}"
    second = finish(text.replace("heads: {h:", "heads:\n  h:").replace("}}\n", "}\n"))
    found = diff(first, second)
    assert set(second.plan.heads) == {"h", "more"}
    assert set(found["heads"]) == {"h"}
    names = set(found["heads"]["h"]["slices"][0]["difference"])
    assert names == {"average_loss", "accuracy", "precision", "auc", "roc_auc"}


def test_many_slices_are_compared_some_at_a_time(finish: Finish) -> None:
    many = table().append_column("n", pa.array(np.arange(500) % 70))
    runs = [finish(config(score, slices="[n]"), many) for score in ("s", "t")]
    found_entries = entries(diff(*runs))
    assert len(found_entries) == 71
    text = config("t", slices="[n]", head=BINARY + ", baseline: {{logits: s}}")
    other = entries({"heads": evaluate(many, plan_of(text)).report["heads"]})
    assert {key: entry["difference"] for key, entry in found_entries.items()} == {
        key: entry["difference"] for key, entry in other.items()
    }


def test_a_slice_without_histograms_by_fold_in_one_run_has_no_interval(finish: Finish) -> None:
    fold = folds_by_key(table()["id"].combine_chunks(), FOLDS)
    # No row of the slice in the fold in which small slices keep all their rows.
    groups = np.where((fold > 0) & (np.arange(500) % 2 > 0), "a", "b")
    rows = with_column("g", groups)
    for most in ((0, 200), (200, 0)):
        runs = [
            finish(config(score, f"{KEYED}, max_slices: {number}"), rows)
            for score, number in zip("st", most, strict=True)
        ]
        found = entries(diff(*runs))[json.dumps(A)]["difference"]
        assert "lower" in found["average_loss"]
        assert "lower" not in found["roc_auc"]


def test_a_comparison_is_json(finish: Finish) -> None:
    found = diff(finish(config()), finish(config("t")))
    assert json.loads(report_bytes(found)) == found
    assert found["headcount_diff"] == 1


@pytest.mark.parametrize("change", ["name", "type"])
def test_runs_need_a_head_in_common(change: str, finish: Finish) -> None:
    name = "other" if change == "name" else "h"
    head = BINARY if change == "name" else HEADS["classes"][0]
    score = "t" if change == "name" else "c"
    first, second = finish(config()), finish(config(score, head=head, name=name))
    with pytest.raises(ConfigError) as caught:
        diff(first, second)
    expected = f"has no head of the same name and type as one of {first.directory}"
    assert expected in str(caught.value)
    assert second.directory in str(caught.value)


def rewritten(run: RunStates, states: Iterable[tuple[StateKey, bytes]]) -> RunStates:
    """The run with other states in its archive, read again."""
    (Path(run.directory) / "states.zip").write_bytes(zip_states(run.table, states))
    return load_run(str(seal(Path(run.directory))))


def archived(run: RunStates) -> dict[StateKey, bytes]:
    _, states = unzip_states((Path(run.directory) / "states.zip").read_bytes())
    return {key: encode(state) for key, state in states.items()}


def test_a_run_of_a_release_with_other_metrics_is_compared(finish: Finish) -> None:
    """A release may have metrics that another has not, whose states a run then has or lacks."""
    old, new = finish(config(score="s")), finish(config(score="t"))
    whole = diff(old, new)["heads"]["h"]
    assert whole["not_compared"] == []
    plan = old.plan.heads["h"]
    # A statistic that this release does not measure changes nothing.
    other = RowSums(values=("loss",), folds=3)
    extra = {StateKey("h", 0, other.digest): encode(zero_state(other))}
    assert diff(old, rewritten(new, {**archived(new), **extra}.items()))["heads"]["h"] == whole
    new = finish(config(score="t"))
    # A metric that the older release did not have.
    name, metric = next(
        (name, metric)
        for name, metric in plan.models[0].metrics.items()
        if metric.statistic != plan.counting.statistic
    )
    lost = metric.statistic.digest
    left = {key: state for key, state in archived(old).items() if key.statistic != lost}
    found = diff(rewritten(old, left.items()), new)["heads"]["h"]
    assert name in found["not_compared"]
    for part, expected in zip(found["slices"], whole["slices"], strict=True):
        assert name not in part["difference"]
        kept = set(expected["difference"]) - set(found["not_compared"])
        assert set(part["difference"]) == kept
        assert all(part["difference"][other] == expected["difference"][other] for other in kept)
    assert name in render_diff({"config": {"confidence": {"level": 0.95}}, "heads": {"h": found}})


def test_a_run_whose_rows_are_not_known_is_not_paired(finish: Finish) -> None:
    old, new = finish(config(score="s")), finish(config(score="t"))
    identity = identity_statistic(old.plan.folds).digest
    left = {key: state for key, state in archived(old).items() if key.statistic != identity}
    found = diff(rewritten(old, left.items()), new)["heads"]["h"]
    assert found["unpaired_because"] == "a run of another release does not say which rows it saw"


def huge(run: RunStates, loss: float) -> RunStates:
    """The run with a loss, and a weight of 1, in the first cell of each slice alone."""
    states = {}
    for key, content in archived(run).items():
        state = decode(content)
        if "loss" in state.sums:
            first = np.diff(state.segment, prepend=-1) > 0
            columns = {"loss": np.where(first, loss, 0.0), "weight": first.astype(float)}
            parts = {name: Summand(values).column() for name, values in columns.items()}
            sums = {
                name: ExactColumn.carried(part.low, part.limbs, part.specials)
                for name, part in parts.items()
            }
            content = encode(replace(state, sums={**state.sums, **sums}))
        states[key] = content
    return rewritten(run, states.items())


def test_a_difference_past_all_numbers_is_undefined(finish: Finish) -> None:
    runs = [huge(finish(config(score)), loss) for score, loss in (("s", -1.7e308), ("t", 1.7e308))]
    found = diff(*runs)
    metric = found["heads"]["h"]["slices"][0]["difference"]["average_loss"]
    assert metric == {"value": None, "reason": "the difference is too large for float64"}
    assert json.loads(report_bytes(found)) == found
    assert "average_loss" in render_diff(found)
