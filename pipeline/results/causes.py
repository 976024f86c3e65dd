"""Groups what got worse by its cause: the coarsest slice whose loss explains that of the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from heads.statistics import OVERALL, Condition, Key
from heads.statistics.keys import key_text
from pipeline.confidence.intervals import quantile
from pipeline.config.model import Config
from pipeline.results.readings import Floats, Ints, Mask
from pipeline.results.regressions import WorseSlice
from pipeline.results.results import Results
from pipeline.slicing.conditions import OTHER
from pipeline.slicing.table import SliceTable

MOST_CAUSES = 20
"""So many causes are looked for; each slice that is then still unexplained is its own cause."""

# Of the slices with the most evidence, so many are tried as the next cause.
_CANDIDATES = 16
# The error of a slice counts as at least this many times what overall's would be with its rows.
# Where both models nearly agree the errors are so small that they alone would decide.
_LEAST_ERROR = 2.0
# Errors may be this small, as shares of the largest difference by a metric.
_SMALLEST = 1e-100


class Cause(NamedTuple):
    """A slice whose loss explains why slices got worse: itself, its parts, and what overlaps it.

    Attributes:
        key: the key of the slice.
        worse: what it explains.
        metrics: the metrics of `worse`, those of the headline first.
        first: the first of `metrics` by which the slice itself got worse.
        candidate: the value of `first` in the slice, of the candidate.
        baseline: the value of the baseline.
        difference: candidate less baseline.
    """

    key: Key
    worse: tuple[WorseSlice, ...]
    metrics: tuple[str, ...]
    first: str
    candidate: float
    baseline: float
    difference: float

    @property
    def slices(self) -> int:
        """The number of worse slices that it explains, itself included."""
        return len({entry.key for entry in self.worse})


def find_causes(
    config: Config,
    table: SliceTable,
    results: Sequence[Results],
    worse: Sequence[WorseSlice],
    headline: Sequence[str],
) -> list[Cause]:
    """Returns the causes of what got worse. Every item of `worse` belongs to exactly one of them.

    If a single slice lost, its parts lost as much, and a slice that overlaps it lost as much as the
    share of its rows that are in it. So one after another that slice is taken for a cause whose
    loss, taken off all slices like this, leaves the least of their differences: the sum of
    squares, each by its standard error, averaged over the metrics. What is then no longer worse
    beyond noise is explained. This is matching pursuit (Mallat and Zhang 1993), in which a slice
    costs 2 log(slices of its entry), for the best of many fits by chance (Foster and George 1994).

    Args:
        config: the configuration of the run.
        table: the slices of the run.
        results: the results of all partitions of one head, in any order; with both models.
        worse: what got worse in them, see `worse_slices`.
        headline: the metrics that users should look at first, in their order.

    Returns:
        The causes: those of the most metrics of the headline first; of equals those of the most
        metrics, then of the most rows, then by the text of the key.
    """
    if not worse:
        return []
    position = {name: at for at, name in enumerate(headline)}
    names = {entry.metric for entry in worse}
    order = sorted(names, key=lambda name: (position.get(name, len(position)), name))
    losses = _losses(config, table, results, worse, order)
    owners = _owners(losses)
    slices = {key: at for at, key in enumerate(losses.keys)}
    explained: dict[Key, list[WorseSlice]] = {}
    for entry in worse:
        owner = owners[losses.metrics[entry.metric], slices[entry.key]]
        explained.setdefault(losses.keys[owner], []).append(entry)
    place = {key: (part, at) for part in results for at, key in enumerate(part.keys)}
    causes = []
    for key, entries in explained.items():
        metrics = sorted({entry.metric for entry in entries}, key=losses.metrics.__getitem__)
        lost = {entry.metric: entry.difference for entry in entries if entry.key == key}
        first = min(lost, key=losses.metrics.__getitem__)
        part, at = place[key]
        candidate, baseline = (float(model[first].value[at]) for model in part.models)
        values = candidate, baseline, lost[first]
        causes.append(Cause(key, tuple(entries), tuple(metrics), first, *values))
    return sorted(
        causes,
        key=lambda cause: (
            -len(position.keys() & set(cause.metrics)),
            -len(cause.metrics),
            -losses.rows[_conditions(cause.key)],
            key_text(cause.key),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Losses:
    """How much slices lost, by the metrics by which any slice got worse.

    Attributes:
        metrics: the position of each metric, `m` in number, in the order of the report.
        keys: overall and the slices of at least `min_slice_size` rows, `s` in number: those of
            fewer columns first, then those of more rows.
        rows: the rows of all slices, by their conditions.
        tests: float64 `[s]`, how many slices the entry has that the slice is of.
        worse: bool `[m, s]`, whether the slice got worse by the metric.
        loss: float64 `[m, s]`, by how much, as a share of the largest difference by the metric;
            negative for what got better; 0 where there is no difference.
        noise: float64 `[m, s]`, by how much the loss may be above what it is, in the same unit, if
            all slices of an entry are tested together (Bonferroni); infinite without an interval.
        weight: float64 `[m, s]`, the inverse of the squared standard error of the loss; 0 without.
    """

    metrics: Mapping[str, int]
    keys: tuple[Key, ...]
    rows: Mapping[frozenset[Condition], int]
    tests: Floats
    worse: Mask
    loss: Floats
    noise: Floats
    weight: Floats

    def shares(self, cause: int) -> Floats:
        """Returns the share of the rows of every slice that are in another one, float64 `[s]`.

        Where no slice has just the rows that are in both, columns are taken to be independent.

        Args:
            cause: the position of the other slice.
        """
        other = _conditions(self.keys[cause])
        shares = np.zeros(len(self.keys))
        for at, key in enumerate(self.keys):
            conditions = _conditions(key)
            both = conditions | other
            if both in self.rows:
                shares[at] = self.rows[both] / max(self.rows[conditions], 1)
            elif len({column for column, _, _ in both}) == len(both):
                common = self.rows.get(conditions & other, self.rows[frozenset()])
                shares[at] = min(self.rows[other] / max(common, 1), 1)
        return shares


def _losses(
    config: Config,
    table: SliceTable,
    results: Sequence[Results],
    worse: Sequence[WorseSlice],
    names: Sequence[str],
) -> _Losses:
    """Returns how much the slices lost.

    Args:
        config: as for `find_causes`.
        table: likewise.
        results: likewise.
        worse: likewise.
        names: the metrics, in the order of the report.
    """
    rows = {key: part.examples[at] for part in results for at, key in enumerate(part.keys)}
    tests = {OVERALL: 1}
    for spec in table.specs:
        large = [key for key in spec.keys if rows.get(key, -1) >= config.min_slice_size]
        tests.update({key: max(tests.get(key, 1), len(spec.keys)) for key in large})
    keys = tuple(sorted(tests, key=lambda key: (len(key), -rows[key], key_text(key))))
    slices = {key: at for at, key in enumerate(keys)}
    metrics = {name: at for at, name in enumerate(names)}
    is_worse = np.zeros((len(names), len(keys)), bool)
    # A difference that is worse beyond noise tells which sign is the bad one.
    sign = np.ones(len(names))
    for entry in worse:
        is_worse[metrics[entry.metric], slices[entry.key]] = True
        sign[metrics[entry.metric]] = math.copysign(1, entry.difference)
    loss, width = np.full((2, *is_worse.shape), np.nan)
    for part in results:
        found = [at for at, key in enumerate(part.keys) if key in slices]
        columns = [slices[part.keys[at]] for at in found]
        for name, number in metrics.items():
            if name in part.differences:
                estimates = part.differences[name]
                end = estimates.lower if sign[number] > 0 else estimates.upper
                loss[number, columns] = estimates.value[found] * sign[number]
                width[number, columns] = np.abs(estimates.value - end)[found]
    unit = np.nanmax(np.abs(loss), axis=1, keepdims=True)
    loss, width = np.nan_to_num(loss / unit), np.where(np.isnan(width), np.inf, width / unit)
    counts = np.array([float(tests[key]) for key in keys])
    degrees, level = np.array([max(config.confidence.folds - 1, 1)]), config.confidence.level
    single = quantile(degrees, level)
    together = {count: quantile(degrees, 1 - (1 - level) / count) for count in set(counts)}
    factor = np.concatenate([together[count] for count in counts]) / single
    share = np.array([max(rows[key], 1) / max(rows[OVERALL], 1) for key in keys])
    error = np.maximum(width, _LEAST_ERROR * width[:, :1] / np.sqrt(share)) / single
    # Without an error nothing varies, which says as little as an infinite one.
    error[width == 0] = np.inf
    weight = np.maximum(error, _SMALLEST) ** -2.0
    by_conditions = {_conditions(key): count for key, count in rows.items()}
    return _Losses(metrics, keys, by_conditions, counts, is_worse, loss, width * factor, weight)


def _conditions(key: Key) -> frozenset[Condition]:
    """Returns the conditions of a slice; `other` of a cross is a single one, and no overlap."""
    if len(key) > 1 and key[0][1] == OTHER:
        return frozenset({(key_text(key), OTHER, None)})
    return frozenset(key)


def _owners(losses: _Losses) -> Ints:
    """Returns the position of the cause of every worse slice, int64 `[m, s]`; -1 elsewhere."""
    left = losses.loss.copy()
    unexplained = losses.worse.copy()
    owners = np.full(left.shape, -1)
    # The most that any cause made of a loss, and whether the slice is a part of a cause.
    most, inside = np.zeros(left.shape), np.zeros(left.shape, bool)
    known_shares: dict[int, Floats] = {}
    for _ in range(MOST_CAUSES):
        metrics = np.flatnonzero(unexplained.any(axis=1))
        if not len(metrics):
            break
        cause, shares = _next_cause(
            losses, left[metrics], unexplained[metrics], metrics, known_shares
        )
        taken = np.maximum(left[metrics, cause, np.newaxis], 0) * shares
        left[metrics] -= taken
        is_part = (shares == 1) & (taken > 0)
        inside[metrics] |= is_part
        owned = unexplained[metrics] & ((taken > most[metrics]) | is_part)
        owners[metrics] = np.where(owned, cause, owners[metrics])
        most[metrics] = np.maximum(most[metrics], taken)
        # A slice that is no part of causes must have most of its loss from them.
        enough = inside | (left <= losses.loss / 2)
        explained = (left <= losses.noise) & enough
        explained[:, cause] = True
        owners[unexplained[:, cause], cause] = cause
        unexplained &= ~explained
    return np.where(unexplained, np.arange(left.shape[1]), owners)


def _next_cause(
    losses: _Losses,
    left: Floats,
    unexplained: Mask,
    metrics: npt.NDArray[np.intp],
    known_shares: dict[int, Floats],
) -> tuple[int, Floats]:
    """Returns the position of the next cause, and the shares of all slices that are in it.

    Args:
        losses: the losses of the slices.
        left: float64 `[m, s]`, what no cause explains of them.
        unexplained: bool `[m, s]`, what is worse and not explained.
        metrics: the positions of the metrics of both arrays.
        known_shares: the shares that were computed before; new ones are added.
    """
    weight = losses.weight[metrics]
    weighted = left * weight
    penalty = 2 * np.log(losses.tests)
    candidates = np.flatnonzero(unexplained.any(axis=0))
    evidence = np.maximum(left, 0) ** 2 * weight
    total = np.ascontiguousarray(evidence[:, candidates].T).sum(axis=1)
    scores = {}
    for cause in candidates[np.argsort(-total, kind="stable")[:_CANDIDATES]].tolist():
        if cause not in known_shares:
            known_shares[cause] = losses.shares(cause)
        shares, loss = known_shares[cause], np.maximum(left[:, cause], 0)
        gain = 2 * loss * (weighted * shares).sum(axis=1)
        gain -= loss**2 * (weight * shares**2).sum(axis=1)
        scores[cause] = float(gain.mean()) - float(penalty[cause])
    best = max(scores, key=lambda cause: (scores[cause], -cause))
    return best, known_shares[best]
