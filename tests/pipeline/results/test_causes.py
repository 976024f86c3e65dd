"""Causes of what got worse: laws, losses whose cause is known, and simulated models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import Key
from pipeline.config.model import Config
from pipeline.evaluate import evaluate
from pipeline.report.report_json import headline
from pipeline.results.causes import MOST_CAUSES, Cause, find_causes
from pipeline.results.estimated import Estimates
from pipeline.results.regressions import WorseSlice, worse_slices
from pipeline.results.results import Results
from pipeline.slicing.table import SliceTable, SpecSlices
from tests.pipeline.tables import law, plan_of

COUNTRIES = ("BR", "DE", "FR", "IN")
DEVICES = ("desktop", "mobile", "tablet")
# Rows of each country and device; overall has 10,000.
CELLS = np.array([[300, 800, 100], [700, 400, 100], [1000, 1500, 300], [2400, 2000, 400]])
LEVEL = 0.95
CONFIG = plan_of("slices: [x]\nheads: {h: {type: binary, logits: s, label: y}}").config

Floats = npt.NDArray[np.float64]


def key_of(**values: str) -> Key:
    return tuple((column, "string", value) for column, value in sorted(values.items()))


def estimates(value: Floats, half: Floats | None = None, p: Floats | None = None) -> Estimates:
    nothing = np.full(len(value), np.nan)
    none = np.full(len(value), None, object)
    ends = (nothing, nothing) if half is None else (value - half, value + half)
    return Estimates(
        value, none, nothing, nothing, *ends, none, nothing if p is None else p, *[nothing] * 3
    )


class Compared(NamedTuple):
    """What is known of two models before anything is grouped."""

    config: Config
    table: SliceTable
    results: list[Results]

    def worse(self) -> list[WorseSlice]:
        return worse_slices(self.config, self.table, self.results)

    def causes(self, *first: str) -> list[Cause]:
        return find_causes(self.config, self.table, self.results, self.worse(), first)


def compared(
    entries: Sequence[Mapping[Key, int]], losses: Mapping[str, Callable[[Key], float]]
) -> Compared:
    """Two models with losses that are known, without noise, but with intervals.

    Args:
        entries: the rows of the slices of each entry.
        losses: for each metric, the loss of every slice.
    """
    rows = {key: count for entry in entries for key, count in entry.items()}
    total = sum(entries[0].values())
    rows = {(): total, **rows}
    keys = tuple(rows)
    differences, models = {}, ({}, {})
    for name, loss in losses.items():
        lost = np.array([loss(key) for key in keys])
        half = 1.5 / np.sqrt(np.array(list(rows.values()), float))
        p = np.where(lost > half, 1e-4, 0.5)
        differences[name] = estimates(-lost, half, p)
        for model, value in zip(models, (0.8 - lost, 0.8 + 0 * lost), strict=True):
            model[name] = estimates(value)
    specs = tuple(SpecSlices(tuple(entry), tuple(entry.values())) for entry in entries)
    results = Results("h", keys, tuple(rows.values()), models, (), differences)
    return Compared(CONFIG, SliceTable(specs, frozenset(keys)), [results])


def lost_in(cells: npt.NDArray[np.bool_], loss: float) -> Callable[[Key], float]:
    """The loss of every slice, if every row of some cells lost as much."""

    def of(key: Key) -> float:
        values = {column: value for column, _, value in key}
        chosen = np.ones(CELLS.shape, bool)
        if "country" in values:
            chosen &= (np.array(COUNTRIES) == values["country"])[:, np.newaxis]
        if "device" in values:
            chosen &= np.array(DEVICES) == values["device"]
        return loss * CELLS[chosen & cells].sum() / CELLS[chosen].sum()

    return of


BY_COUNTRY = {key_of(country=c): int(n) for c, n in zip(COUNTRIES, CELLS.sum(1), strict=True)}
BY_DEVICE = {key_of(device=d): int(n) for d, n in zip(DEVICES, CELLS.sum(0), strict=True)}
CROSSED = {
    key_of(country=c, device=d): int(CELLS[i, j])
    for i, c in enumerate(COUNTRIES)
    for j, d in enumerate(DEVICES)
}
ENTRIES = (BY_COUNTRY, BY_DEVICE, CROSSED)

NOWHERE = np.zeros(CELLS.shape, bool)
BR, DE, MOBILE = NOWHERE.copy(), NOWHERE.copy(), NOWHERE.copy()
BR[0], DE[1], MOBILE[:, 1] = True, True, True

TRUTHS = {
    "one country": (BR, [key_of(country="BR")]),
    "one device": (MOBILE, [key_of(device="mobile")]),
    "all rows": (~NOWHERE, [()]),
    "two countries": (BR | DE, [key_of(country="BR"), key_of(country="DE")]),
    "a cross": (BR & MOBILE, [key_of(country="BR", device="mobile")]),
}


@pytest.mark.parametrize("truth", TRUTHS)
def test_losses_without_noise_have_the_causes_that_made_them(truth: str) -> None:
    cells, keys = TRUTHS[truth]
    both = compared(ENTRIES, {"auc": lost_in(cells, 0.3), "recall": lost_in(cells, 0.2)})
    found = both.causes()
    assert sorted(cause.key for cause in found) == sorted(keys)
    for cause in found:
        assert (cause.candidate, cause.baseline) == pytest.approx((0.5, 0.8))
        assert cause.difference == pytest.approx(-0.3)
        assert (cause.first, cause.metrics) == ("auc", ("auc", "recall"))
    explained = {entry.key for cause in found for entry in cause.worse}
    assert explained >= {(), *keys}
    assert len(explained) > len(keys)
    if len(found) == 1:
        assert found[0].slices == len(explained)


def test_columns_without_a_cross_are_taken_to_be_independent() -> None:
    # As much of the loss is in every device as in overall.
    independent = np.outer(CELLS.sum(1), CELLS.sum(0)) / CELLS.sum()

    def loss(key: Key) -> float:
        return 0.3 if key == key_of(country="BR") else 0.3 * independent[0].sum() / CELLS.sum()

    both = compared(
        (BY_COUNTRY, BY_DEVICE),
        {"auc": lambda key: 0.0 if key in BY_COUNTRY and "BR" not in str(key) else loss(key)},
    )
    (cause,) = both.causes()
    assert cause.key == key_of(country="BR")
    assert {entry.key for entry in cause.worse} >= {(), key_of(device="mobile")}


def test_what_is_merged_into_other_is_no_part_of_an_other_of_one_column() -> None:
    both_columns = (("country", "other", None), ("device", "other", None))
    entries = ({(("country", "other", None),): 5000, key_of(country="BR"): 5000},)
    entries += ({both_columns: 4000, key_of(country="BR", device="mobile"): 6000},)
    lost = {(): 0.15, (("country", "other", None),): 0.3, both_columns: 0.3}
    found = compared(entries, {"auc": lambda key: lost.get(key, 0.0)}).causes()
    assert [cause.key for cause in found] == [(("country", "other", None),), both_columns]


def test_metrics_of_the_headline_come_first_and_decide_what_comes_first() -> None:
    both = compared(
        ENTRIES,
        {
            "auc": lost_in(BR, 0.3),
            "b": lost_in(DE, 0.3),
            "c": lost_in(DE, 0.3),
            "recall": lost_in(DE, 0.3),
        },
    )
    first, second = both.causes()
    assert (first.key, first.metrics) == (key_of(country="DE"), ("b", "c", "recall"))
    assert (second.key, second.first) == (key_of(country="BR"), "auc")
    assert [cause.key for cause in both.causes("auc")] == [second.key, first.key]
    (moved, _) = both.causes("recall", "c")
    assert (moved.metrics, moved.first) == (("recall", "c", "b"), "recall")


def test_what_many_slices_lost_of_their_own_is_theirs() -> None:
    number = 3 * MOST_CAUSES
    entry = {key_of(city=f"{at:03}"): 1000 for at in range(number)}
    # As many got better, so that overall did not change.
    sign = {key: 1 - 2 * (at % 2) for at, key in enumerate(entry)}
    both = compared([entry], {"auc": lambda key: 0.2 * sign.get(key, 0)})
    found = both.causes()
    assert {cause.key for cause in found} == {key for key in entry if sign[key] > 0}
    assert {cause.slices for cause in found} == {1}
    assert len(found) == number // 2 > MOST_CAUSES


def test_a_part_may_have_lost_more_by_chance() -> None:
    small = key_of(city="small")
    entry = {small: 200} | {key_of(city=f"{at:02}"): 890 for at in range(11)}
    # Half of an interval is 0.106 of 200 rows; of twelve slices, 0.164 is needed.
    for loss, keys in ((0.12, [()]), (0.2, [()]), (0.4, [(), small])):
        both = compared([entry], {"auc": lambda key, loss=loss: loss if key == small else 0.06})
        found = both.causes()
        assert {entry.key for cause in found for entry in cause.worse} == {(), *entry}
        assert [cause.key for cause in found] == keys


def test_nearly_all_rows_must_fit_better_by_more_than_chance_to_be_the_cause() -> None:
    mobile, desktop = key_of(device="mobile"), key_of(device="desktop")
    lost = {(): 0.05, mobile: 0.0525, desktop: 0.0025}
    (cause,) = compared([{mobile: 9500, desktop: 500}], {"auc": lost.__getitem__}).causes()
    assert cause.key == ()
    lost[desktop] = -0.15
    (cause,) = compared([{mobile: 9500, desktop: 500}], {"auc": lost.__getitem__}).causes()
    assert cause.key == mobile


def test_nothing_worse_has_no_cause() -> None:
    assert compared(ENTRIES, {"auc": lost_in(BR, 0.0)}).causes() == []


def cut(results: Results, order: Sequence[int], sizes: Sequence[int]) -> list[Results]:
    """The same results in other partitions."""
    parts = []
    for at in np.split(np.array(order), np.minimum(np.cumsum(sizes), len(order))):
        differences, *models = (
            {
                name: Estimates(*(column[at] for column in vars(metric).values()))
                for name, metric in metrics.items()
            }
            for metrics in (results.differences, *results.models)
        )
        keys, examples = (
            tuple(column[position] for position in at.tolist())
            for column in (results.keys, results.examples)
        )
        parts.append(Results("h", keys, examples, tuple(models), (), differences))
    return parts


@st.composite
def comparisons(draw: st.DrawFn) -> Compared:
    """Two models with any differences, which need not fit each other."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    entries = draw(st.permutations(ENTRIES))[: draw(st.integers(1, 3))]
    both = compared(entries, {name: lost_in(BR, 0.1) for name in ("a", "b", "c")})
    (results,) = both.results
    size = len(results.keys)
    odd = draw(st.sampled_from([0.0, 0.3]))
    scale = 10.0 ** draw(st.sampled_from([-300, 0, 150]))
    differences = {}
    for name in results.differences:
        value = rng.normal(-0.2, 0.3, size).round(draw(st.integers(0, 3))) * scale
        half = rng.gamma(2, 0.05, size) * scale
        half[rng.random(size) < odd] = rng.choice([np.nan, np.inf, 0.0])
        p = np.where(value < 0, rng.choice([1e-6, 1e-3, 0.6], size), 0.9)
        p[rng.random(size) < odd / 2] = np.nan
        differences[name] = estimates(value, half, p)
    examples = tuple(rng.choice([0, 1, 50, 5000], size).tolist())
    return both._replace(
        results=[Results("h", results.keys, examples, results.models, (), differences)]
    )


@law
@given(comparisons(), st.data())
def test_what_is_worse_has_one_cause_however_results_are_cut(
    both: Compared, data: st.DataObject
) -> None:
    worse = both.worse()
    found = both.causes("b")
    explained = [entry for cause in found for entry in cause.worse]
    assert sorted(explained, key=repr) == sorted(worse, key=repr)
    assert len({cause.key for cause in found}) == len(found)
    for cause in found:
        differences = {e.metric: e.difference for e in cause.worse if e.key == cause.key}
        assert differences[cause.first] == cause.difference
        assert set(cause.metrics) == {entry.metric for entry in cause.worse}
    (results,) = both.results
    order = data.draw(st.permutations(range(len(results.keys))))
    sizes = data.draw(st.lists(st.integers(0, len(order)), max_size=3))
    assert both._replace(results=cut(results, order, sizes)).causes("b") == found


ROWS = 6000
METRICS = "[average_loss, accuracy, roc_auc, brier_score, label/mean]"
TEXT = f"""
slices: [country, device, {{columns: [country, device]}}]
min_slice_size: 50
heads:
  h: {{type: binary, logits: candidate, label: y, baseline: {{logits: base}}, metrics: {METRICS}}}
"""


@cache
def simulated(truth: str) -> list[Cause]:
    """The causes of what a model lost whose scores are noise in some cells."""
    rng = np.random.default_rng(5)
    cell = rng.choice(CELLS.size, ROWS, p=(CELLS / CELLS.sum()).ravel())
    country, device = np.divmod(cell, len(DEVICES))
    signal = rng.normal(0, 2, ROWS)
    base, other = signal + rng.normal(0, 0.5, (2, ROWS))
    noise = rng.normal(0, 2, ROWS) * TRUTHS[truth][0].ravel()[cell]
    rows = pa.table(
        {
            "country": np.array(COUNTRIES)[country],
            "device": np.array(DEVICES)[device],
            "y": (rng.random(ROWS) < 1 / (1 + np.exp(-signal))).astype(np.int64),
            "base": base,
            "candidate": 0.8 * base + 0.2 * other + noise,
        }
    )
    plan = plan_of(TEXT)
    found = evaluate(rows, plan)
    worse = worse_slices(plan.config, found.table, found.results)
    names = headline(plan.heads["h"])
    causes = find_causes(plan.config, found.table, found.results, worse, names)
    data = found.report["heads"]["h"]["causes"]
    assert [(len(c.metrics), c.slices) for c in causes] == [
        (len(entry["metrics"]), entry["slices"]) for entry in data
    ]
    return causes


@pytest.mark.parametrize("truth", TRUTHS)
def test_the_first_causes_of_a_simulated_model_are_the_true_ones(truth: str) -> None:
    keys = TRUTHS[truth][1]
    found = simulated(truth)
    assert sorted(cause.key for cause in found[: len(keys)]) == sorted(keys)
    explained = {entry.key for cause in found[: len(keys)] for entry in cause.worse}
    assert () in explained
    assert len(explained) > 3
