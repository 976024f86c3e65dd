"""How often nominal 95 % intervals of slices against overall hold what is true, in simulation.

    .venv/bin/python benchmarks/coverage_against_overall.py [--repetitions N] [--rows 2000]
        [--seed N] [--metric NAME ...] [--output FILE]

A slice has a tenth, three tenths, half or nine tenths of the rows of a binary head. It is drawn
from a population of `coverage_binary.py`, and so is the rest: from the same one, so that the
difference is 0 and the ratio is 1, or from one with another base rate and a worse model. Of these
the true values are those of a sample of `TRUE_ROWS` rows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from coverage import LEVEL, Tally, read_model
from coverage_binary import BETTER, POPULATIONS, WORSE, BinaryPopulation
from coverage_samples import SEED, Sample

from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import report_metrics
from heads.statistics import Segments
from pipeline.results.against_overall import AgainstOverall, compare_parts, overall_metrics

SHARES = 0.1, 0.3, 0.5, 0.9
TRUE_ROWS = 1_000_000
DESIGNS = "independent rows", "40 equal clusters"
WRITTEN = "coverage", "none", "open"


@dataclass(frozen=True)
class Parts:
    """A slice and the rest of the rows.

    Attributes:
        inside: the population of the slice.
        outside: the population of the rest.
        share: the share of the rows that the slice has.
    """

    inside: BinaryPopulation
    outside: BinaryPopulation
    share: float

    @property
    def name(self) -> str:
        kind = "alike" if self.inside is self.outside else "unlike"
        return f"{self.inside.name}, {self.share:.0%} {kind}"

    def of_many_clusters(self, rows: int) -> Parts:
        """The same with so many clusters that their effects make no difference."""
        parts = self.inside, self.outside
        if self.inside.design.clusters is None:
            return self
        inside, outside = (
            replace(part, design=replace(part.design, clusters=rows // 50)) for part in parts
        )
        return Parts(inside, outside, self.share)

    def draw(self, rows: int, repetitions: int, batch: int, seed: int) -> tuple[Sample, Sample]:
        """The slice, and overall, in some repetitions."""
        number = round(rows * self.share)
        inside = self.inside.draw(number, repetitions, batch, seed)
        outside = self.outside.draw(rows - number, repetitions, batch, seed + 1)
        return inside, _joined(inside, outside)


def _joined(first: Sample, second: Sample) -> Sample:
    weights = None
    if first.weights is not None and second.weights is not None:
        weights = np.concatenate([first.weights, second.weights])
    index, fold = (
        np.concatenate([getattr(sample.segments, name) for sample in (first, second)])
        for name in ("index", "fold")
    )
    segments = Segments(index, first.segments.keys, fold=fold)
    candidate, baseline = map(np.concatenate, zip(first.scores, second.scores, strict=True))
    labels = np.concatenate([first.labels, second.labels])
    return Sample((candidate, baseline), labels, weights, segments)


def scenarios() -> Iterator[Parts]:
    for population in POPULATIONS:
        if population.name in DESIGNS:
            other = replace(population, base_rate=0.45, models=(WORSE, BETTER))
            for share in SHARES:
                yield Parts(population, population, share)
                yield Parts(population, other, share)


def compared(
    parts: Parts, samples: tuple[Sample, Sample], metrics: Sequence[Metric]
) -> dict[str, AgainstOverall]:
    with np.errstate(all="ignore"):
        inside, whole = (read_model(parts.inside, sample, 0, metrics) for sample in samples)
        small = np.zeros(len(samples[0].segments.keys), bool)
        return compare_parts(inside, overall_metrics(whole, LEVEL), LEVEL, small)


def simulate(
    parts: Parts,
    rows: int,
    repetitions: int,
    seed: int,
    only: Collection[str] | None = None,
    true_rows: int = TRUE_ROWS,
) -> dict[str, Tally]:
    """The intervals of many repetitions, by `difference of NAME` or `ratio of NAME`."""
    true, _ = parts.inside.true_values(rows)
    context = parts.inside.context()
    metrics = [
        metric
        for name, metric in report_metrics(context).items()
        if name in true and (only is None or name in only)
    ]
    true_compared: dict[str, AgainstOverall] = {}
    if parts.inside is not parts.outside:
        large = parts.of_many_clusters(true_rows).draw(true_rows, 1, 0, seed + 2)
        true_compared = compared(parts, large, metrics)
    tallies: dict[str, Tally] = {}
    together = max(1, context.score_histogram.max_cells // rows)
    for batch, first in enumerate(range(0, repetitions, together)):
        samples = parts.draw(rows, together, batch, seed)
        for name, both in compared(parts, samples, metrics).items():
            for kind, equal in (("difference", 0.0), ("ratio", 1.0)):
                found = getattr(both, kind)
                truth = equal
                if true_compared:
                    truth = float(getattr(true_compared[name], kind).value[0])
                tally = tallies.setdefault(f"{kind} of {name}", Tally(truth))
                nothing = np.full(len(found.value), np.nan)
                columns = np.stack([found.lower, found.upper, nothing])
                tally.parts.append(columns[:, : repetitions - first])
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--metric", nargs="+", metavar="NAME")
    parser.add_argument("--output", default="out/coverage_against_overall.json", metavar="FILE")
    arguments = parser.parse_args()
    found = {}
    for parts in scenarios():
        of_metrics = found[parts.name] = {}
        tallies = simulate(
            parts, arguments.rows, arguments.repetitions, arguments.seed, arguments.metric
        )
        for name, tally in tallies.items():
            shares = tally.shares()
            told = ", ".join(f"{key} {value:.4g}" for key, value in shares.items())
            print(f"{parts.name}: {name}: {told}", flush=True)
            of_metrics[name] = {key: shares[key] for key in WRITTEN if key in shares}
    output = Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    content = {"rows": arguments.rows, "repetitions": arguments.repetitions, "scenarios": found}
    text = json.dumps(content, separators=(",", ":")).replace("},", "},\n")
    output.write_text(text + "\n")


if __name__ == "__main__":
    main()
