"""How often nominal 95 % intervals hold the true value, in simulation.

    .venv/bin/python benchmarks/coverage.py [--repetitions N] [--rows 2000] [--seed N]
        [--head TYPE ...] [--scenario NAME ...] [--metric NAME ...] [--output FILE]

Draws rows of a known population again and again, measures and computes them as a run does, and
writes the share of intervals that hold what is true of the population, for every metric of a head
that has an interval, and for the differences of two models. The populations, and what is true of
them, are in `coverage_binary.py`, where it is integrated, and in `coverage_classes.py` and
`coverage_regression.py`, where it is that of a very large sample. `benchmarks/coverage.json` is
what it wrote, of which `docs/coverage_page.py` makes a page.

A repetition is a slice: as many as have together no more scores than the score histogram has cells
are measured at once. So that histogram keeps every score of 2,000 rows apart, as it would of one
repetition alone; the coarse one of the errors has cells as wide as in a run of that many slices.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import coverage_binary
import coverage_classes
import coverage_regression
import numpy as np
from coverage_samples import SEED, Floats, Population, Sample

from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import report_metrics
from heads.statistics.measure import measure_state
from pipeline.confidence.significance import benjamini_hochberg
from pipeline.results.differences import difference
from pipeline.results.estimated import Estimates
from pipeline.results.estimates import estimate
from pipeline.results.readings import Readings, read_metric
from pipeline.results.state_views import StateViews

LEVEL = 0.95
WRITTEN = ("coverage", "none", "open", "worse", "worse_entries")
SLICES = 10
"""Of how many repetitions an entry of slices is, whose p-values are adjusted for one another."""
HEADS: Mapping[str, Sequence[Population]] = {
    "binary": coverage_binary.POPULATIONS,
    "multi_class": coverage_classes.MULTI_CLASS,
    "multi_label": coverage_classes.MULTI_LABEL,
    "regression": coverage_regression.REGRESSION,
    "poisson": coverage_regression.POISSON,
}
"""The populations of each type of head. The contrib binary head has the metrics of the binary, and
logistic regression those of regression."""


def read_model(
    population: Population, sample: Sample, model: int, metrics: Sequence[Metric]
) -> dict[str, Readings]:
    """What a run reads of the metrics of one model in every repetition."""
    scored = population.head.score(sample.scores[model], sample.labels, sample.weights)
    scored = replace(scored, interval=population.interval(scored))
    keys, every = tuple(sample.segments.keys), np.ones(len(sample.segments.keys), bool)
    statistics = {s for metric in metrics for s in metric.measured if s is not None}
    views = {
        statistic: StateViews(measure_state(statistic, scored, sample.segments), keys, every)
        for statistic in statistics
    }
    return {
        metric.name: read_metric(
            metric,
            *(None if measured is None else views[measured] for measured in metric.measured),
            weighted=True,
        )
        for metric in metrics
    }


def estimates(
    population: Population, sample: Sample, metrics: Sequence[Metric]
) -> dict[str, Estimates]:
    """The metrics of the candidate, and its differences from the baseline, as a run has them."""
    with np.errstate(all="ignore"):
        candidate, baseline = (
            read_model(population, sample, model, metrics) for model in range(len(sample.scores))
        )
        found = estimate(candidate, LEVEL)
        compared = difference(candidate, baseline, LEVEL)
    return found | {difference_name(name): estimated for name, estimated in compared.items()}


def difference_name(name: str) -> str:
    return f"difference of {name}"


@dataclass
class Tally:
    """The intervals of one metric.

    Attributes:
        truth: the true value.
        parts: lower ends, upper ends and p-values, `[3, r]` for each batch.
    """

    truth: float
    parts: list[Floats] = field(default_factory=list)

    def shares(self) -> dict[str, float]:
        """What share of the repetitions has which kind of interval."""
        lower, upper, p = np.concatenate(self.parts, axis=1)
        known = ~np.isnan(lower)
        found = {"truth": self.truth, "intervals": int(known.sum()), "none": 1 - known.mean()}
        if known.any():
            below, above = (upper[known] < self.truth).mean(), (lower[known] > self.truth).mean()
            found |= {"coverage": 1 - below - above, "below": below, "above": above}
            found["open"] = (np.isinf(lower) | np.isinf(upper))[known].mean()
            with np.errstate(invalid="ignore"):
                found["width"] = float(np.median((upper - lower)[known]))
        if not np.isnan(p).all():
            found["worse"] = (p[~np.isnan(p)] <= 1 - LEVEL).mean()
        if len(p) >= SLICES and not np.isnan(p).all():
            entries = p[: len(p) // SLICES * SLICES].reshape(-1, SLICES)
            worse = [(benjamini_hochberg(entry) <= 1 - LEVEL).any() for entry in entries]
            found["worse_entries"] = np.mean(worse)
        # JSON has no infinity: most of such intervals are open.
        if np.isinf(found.get("width", 0)):
            del found["width"]
        return {name: float(f"{value:.4g}") for name, value in found.items()}


def simulate(
    population: Population,
    rows: int,
    repetitions: int,
    seed: int = SEED,
    only: Collection[str] | None = None,
) -> dict[str, Tally]:
    """The intervals of many repetitions, by name of the metric."""
    rows = population.rows or rows
    true, other = population.true_values(rows)
    names = [name for name in true if only is None or name in only]
    context = population.context()
    offered = report_metrics(context)
    metrics = [offered[name] for name in names]
    tallies = {name: Tally(true[name]) for name in names}
    tallies |= {
        difference_name(name): Tally(true[name] - other[name])
        for name in names
        if offered[name].comparable
    }
    together = max(1, context.score_histogram.max_cells // (rows * context.columns))
    for batch, first in enumerate(range(0, repetitions, together)):
        sample = population.draw(rows, together, batch, seed)
        for name, estimated in estimates(population, sample, metrics).items():
            columns = np.stack([estimated.lower, estimated.upper, estimated.p_worse])
            tallies[name].parts.append(columns[:, : repetitions - first])
    return tallies


def run(arguments: argparse.Namespace, populations: Iterator[Population]) -> dict[str, object]:
    """What was found in the populations of a type of head, as it is written."""
    found: dict[str, object] = {}
    for population in populations:
        of_metrics = found[population.name] = {}
        tallies = simulate(
            population,
            arguments.rows,
            arguments.repetitions,
            arguments.seed,
            arguments.metric,
        )
        for name, tally in tallies.items():
            shares = tally.shares()
            told = ", ".join(f"{key} {value:.4g}" for key, value in shares.items())
            print(f"{population.name}: {name}: {told}", flush=True)
            of_metrics[name] = {key: shares[key] for key in WRITTEN if key in shares}
    return found


def main() -> None:
    names = sorted({population.name for every in HEADS.values() for population in every})
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--head", nargs="+", choices=list(HEADS), default=list(HEADS))
    parser.add_argument("--scenario", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--metric", nargs="+", metavar="NAME")
    parser.add_argument("--output", default="out/coverage.json", metavar="FILE")
    arguments = parser.parse_args()
    output = Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    # What is known of other heads stays.
    heads = json.loads(output.read_text())["heads"] if output.exists() else {}
    for head in arguments.head:
        start = time.process_time()
        chosen = (one for one in HEADS[head] if one.name in arguments.scenario)
        heads[head] = {
            "rows": arguments.rows,
            "repetitions": arguments.repetitions,
            "seed": arguments.seed,
            "scenarios": run(arguments, chosen),
        }
        print(f"{head}: {time.process_time() - start:.0f} s of processor time.", flush=True)
        known = {head: heads[head] for head in HEADS if head in heads}
        content = {"true_rows": coverage_classes.TRUE_ROWS, "heads": known}
        # A line for each metric.
        text = json.dumps(content, separators=(",", ":")).replace("},", "},\n")
        output.write_text(text + "\n")


if __name__ == "__main__":
    main()
