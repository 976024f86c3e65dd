"""Intervals by their definitions, in loops over rows, thresholds and bins."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from heads.metrics.core.methods import RateName
from tests.heads.metrics.fold_rows import Rows

RATES: list[RateName] = ["precision", "recall", "false_positive_rate"]
# Of true and false positives, false and true negatives, by the demand.
PARTS = {
    "precision": lambda p: (1 - p, -p, 0, 0),
    "false_positive_rate": lambda x: (0, x - 1, 0, x),
    "recall": lambda r: (r - 1, 0, r, 0),
}


def threshold_ends_by_rows(
    rows: Rows, rate: RateName, demand: float, quantile: float
) -> tuple[float, float]:
    """The ends of the interval by the definition, threshold by threshold, from the highest."""
    score, label, weight, fold = rows
    kappa = (weight**2).sum() / weight.sum()
    positive, negative = weight * label, weight * (1 - label)
    every = positive.sum(), negative.sum()
    thresholds = sorted(set(score.tolist()), reverse=True)
    totals, rejected, rates = [], [], []
    for threshold in thresholds:
        above = score >= threshold
        parts = PARTS[rate](demand)
        hits, misses = positive[above].sum(), negative[above].sum()
        seen = hits, misses, every[0] - hits, every[1] - misses
        if rate == "precision":
            implied = demand * (hits + misses), (1 - demand) * (hits + misses), *seen[2:]
            rates.append(hits / (hits + misses))
        elif rate == "recall":
            implied = demand * every[0], misses, (1 - demand) * every[0], seen[3]
            rates.append(hits / every[0])
        else:
            implied = hits, demand * every[1], seen[2], (1 - demand) * every[1]
            rates.append(misses / every[1])
        # What each row adds to the sum that is 0 where the rate is as demanded.
        of_row = np.where(
            above,
            np.where(label > 0, parts[0], parts[1]),
            np.where(label > 0, parts[2], parts[3]),
        )
        sums = [(weight * of_row)[fold == f].sum() for f in sorted(set(fold.tolist()))]
        varied = len(sums) * np.var(sums, ddof=1)
        binomial, under = (
            kappa * sum(part**2 * weight for part, weight in zip(parts, weights, strict=True))
            for weights in (seen, implied)
        )
        largest = max(part**2 for part in (parts if hits > 0 else parts[1:]))
        floor = 2 * kappa**2 * largest
        totals.append(sum(sums))
        error = math.sqrt(under * (varied + floor) / (binomial + floor))
        rejected.append(abs(totals[-1]) > quantile * error)
    if rate == "recall":
        point = next(i for i, value in enumerate(rates) if value >= demand - 1e-12)
    elif rate == "precision":
        point = max(i for i, value in enumerate(rates) if value >= demand - 1e-12)
    else:
        point = max(i for i, value in enumerate(rates) if value <= demand + 1e-12)
    up = [i for i in range(point) if rejected[i] and totals[i] > 0]
    if rate == "precision":
        last = max(i for i, beyond in enumerate(rejected) if not beyond or i == point)
        down = list(range(last + 1, len(thresholds)))
    else:
        down = [i for i in range(point + 1, len(thresholds)) if rejected[i] and totals[i] < 0]
    return (
        thresholds[down[0]] if down else -math.inf,
        thresholds[up[-1]] if up else math.inf,
    )


def recall_ends_by_rows(rows: Rows, precision: float, quantile: float) -> tuple[float, float]:
    """The ends of the recall at a precision by the definition, walking from the reported point."""
    score, label, weight, fold = rows
    kappa, mean = (weight**2).sum() / weight.sum(), weight.mean()
    positive, negative = weight * label, weight * (1 - label)
    thresholds = sorted(set(score.tolist()), reverse=True)
    above = [score >= threshold for threshold in thresholds]
    hits = [positive[rows_above].sum() for rows_above in above]
    misses = [negative[rows_above].sum() for rows_above in above]
    numbers = [0, *(int(rows_above.sum()) for rows_above in above)]
    precisions = [a / (a + b) for a, b in zip(hits, misses, strict=True)]
    point = max(i for i, value in enumerate(precisions) if value >= precision - 1e-12)
    rejected = []
    for i, rows_above in enumerate(above):
        # The odds of zero labels in the cells within reach, and in this one.
        reach = math.ceil(2.5 * math.sqrt(min(numbers[i + 1], len(score) - numbers[i + 1]))) + 1
        near = [j for j, number in enumerate(numbers) if abs(number - numbers[i + 1]) <= reach]
        first, last = min(*near, i), max(near)
        window = np.isin(score, thresholds[first:last])
        odds = (negative[window].sum() + mean / 2) / (positive[window].sum() + mean / 2)
        recall = hits[i] / positive.sum()
        slope = 1 - precision - precision * odds
        parts = precision * odds + slope * recall, -precision, slope * recall, 0.0
        predicted = hits[i] + misses[i]
        seen = hits[i], misses[i], positive.sum() - hits[i], negative.sum() - misses[i]
        implied = (
            precision * predicted,
            (1 - precision) * predicted,
            max(positive.sum() - precision * predicted, 0),
            seen[3],
        )
        kinds = np.where(
            rows_above, np.where(label > 0, 1 - precision, -precision), 0.0
        ) - slope * label * (rows_above - recall)
        sums = [(weight * kinds)[fold == f].sum() for f in sorted(set(fold.tolist()))]
        varied = len(sums) * np.var(sums, ddof=1)
        binomial, under = (
            kappa * sum(part**2 * weight for part, weight in zip(parts, weights, strict=True))
            for weights in (seen, implied)
        )
        largest = max(part**2 for part in (parts if hits[i] > 0 else parts[1:]))
        floor = 2 * kappa**2 * largest
        squared = under * (varied + floor) / (binomial + floor)
        if misses[point] >= 10 * kappa:
            squared = max(squared, varied + floor)
        total = (1 - precision) * hits[i] - precision * misses[i]
        # Wider, for there are many tests on the way to the one that rejects.
        rejected.append(abs(total) > 1.1 * quantile * math.sqrt(squared))
    up = [i for i in range(point) if rejected[i]]
    down = [i for i in range(point + 1, len(thresholds)) if rejected[i]]
    every = positive.sum()
    return hits[up[-1]] / every if up else -math.inf, hits[down[0]] / every if down else math.inf


def calibration_ends_by_rows(
    rows: Rows, folds: int, quantile: float, level: float, clustered: bool
) -> tuple[float, float]:
    """The ends of the debiased calibration error of probabilities, labels, weights and folds."""
    p, y, w, fold = rows
    n, place = w.sum(), np.minimum((p * 10).astype(int), 9)
    shares, errors, chances, parts = [], [], [], []
    for number in sorted(set(place.tolist())):
        there = place == number
        size, mean = w[there].sum(), np.average(y[there], weights=w[there])
        error = (w * (p - y))[there].sum() / size
        effective = size**2 / (w[there] ** 2).sum()
        shares.append(size / n)
        errors.append(error)
        chances.append(error**2 if there.sum() == 1 else mean * (1 - mean) / (effective - 1))
        parts.append(
            [
                ((w * (p - y))[there & (fold == f)].sum() - error * w[there & (fold == f)].sum())
                / math.sqrt(size * n)
                for f in range(folds)
            ]
        )
    share, error, chance, part = map(np.array, (shares, errors, chances, parts))
    q, b1 = (share * error**2).sum(), (share * chance).sum()
    b2, be = (share**2 * chance**2).sum(), (share**2 * error**2 * chance).sum()
    lower_chance = upper_chance = b1
    if clustered:
        between = folds / (folds - 1) * part @ part.T
        t1 = np.trace(between)
        t2 = (
            (folds - 1) ** 2
            / ((folds + 1) * (folds - 2))
            * ((between**2).sum() - t1**2 / (folds - 1))
        )
        t2 = min(max(t2, t1**2 / 10), t1**2)
        g = (quantile / stats.norm.ppf((1 + level) / 2)) ** 2
        fe = folds / (folds - 1) * ((part.T @ (np.sqrt(share) * error)) ** 2).sum()
        be, b2 = max(g * fe, be), max(g * t2, b2)
        lower_chance, upper_chance = max(t1, b1), min(t1, b1)
    c = be / q
    h = b2 / c**2

    def end(taken: float, tail: float) -> float:
        x = (q - taken) / c + h
        if x <= 0 or stats.chi2.cdf(x, h) <= tail:
            return 0.0
        return math.sqrt(c * brentq(lambda nc: stats.ncx2.cdf(x, h, nc) - tail, 1e-12, 1e6))

    return end(lower_chance, (1 + level) / 2), end(upper_chance, (1 - level) / 2)
