"""How often the first cause of what got worse is the true one, in simulation.

    .venv/bin/python benchmarks/causes.py [--repetitions 200] [--rows 4000] [--noise 2] [--seed 1]

A candidate predicts as the baseline does, but for small changes in all rows, and in the rows of the
truth its logits are noisier: in those of one of eight countries, in all rows (by half as much), in
those of two countries, or in those of one device in one country. Slices are countries, devices,
ages, and countries crossed with devices. Prints for each truth how often anything got worse; of
these, how often the first cause is a true one, and how often the first causes are all true ones and
no others; the share of what got worse that true causes explain; and the mean number of causes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config.load import parse_config
from pipeline.evaluate import evaluate
from pipeline.evaluation.plan import make_plan

COUNTRIES = np.array(["BR", "DE", "FR", "IN", "JP", "MX", "PL", "US"])
SHARES = 0.12, 0.10, 0.08, 0.20, 0.10, 0.10, 0.05, 0.25
DEVICES = np.array(["desktop", "mobile", "tablet"])
CONFIG = """
slices: [country, device, {column: age, edges: [30, 50]}, {columns: [country, device]}]
min_slice_size: 50
heads:
  click:
    type: binary
    logits: candidate
    label: label
    baseline: {logits: baseline}
    metrics: [average_loss, accuracy, recall, roc_auc, brier_score, label/mean]
"""
TRUTHS: dict[str, tuple[str, ...]] = {
    "country=BR": ("BR",),
    "all rows": ("",),
    "country=BR and country=DE": ("BR", "DE"),
    "country=US, device=mobile": ("US, mobile",),
}


def table(truth: str, rows: int, noise: float, seed: int) -> pa.Table:
    """The rows of a candidate that lost in the slices of a truth."""
    rng = np.random.default_rng(seed)
    country = COUNTRIES[rng.choice(len(COUNTRIES), rows, p=SHARES)]
    device = DEVICES[rng.choice(len(DEVICES), rows, p=(0.4, 0.5, 0.1))]
    signal = rng.normal(-0.7, 2, rows)
    baseline, other = signal + rng.normal(0, 0.7, (2, rows))
    names = TRUTHS[truth]
    lost = np.isin(country, names) | (names == ("",))
    lost |= (names == ("US, mobile",)) & (country == "US") & (device == "mobile")
    scale = noise / 2 if names == ("",) else noise
    return pa.table(
        {
            "country": country,
            "device": device,
            "age": rng.integers(18, 80, rows),
            "label": (rng.random(rows) < 1 / (1 + np.exp(-signal))).astype(np.int64),
            "baseline": baseline,
            "candidate": 0.8 * baseline + 0.2 * other + lost * rng.normal(0, scale, rows),
        }
    )


def name_of(cause: dict[str, Any]) -> str:
    return ", ".join(condition["value"] for condition in cause["slice"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--noise", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    plan = make_plan(parse_config(CONFIG, "causes.yaml"))
    start = time.process_time()
    print("| truth | worse in | first cause is true | true causes first | share | causes |")
    print("|---|---|---|---|---|---|")
    for position, (truth, names) in enumerate(TRUTHS.items()):
        first, exact, counts, shares = [], [], [], []
        for repetition in range(options.repetitions):
            seed = (options.seed * len(TRUTHS) + position) * options.repetitions + repetition
            report = evaluate(table(truth, options.rows, options.noise, seed), plan).report
            head = report["heads"]["click"]
            if not head["worse"]:
                continue
            causes = [name_of(cause) for cause in head["causes"]]
            first.append(causes[0] in names)
            exact.append(sorted(causes[: len(names)]) == sorted(names))
            counts.append(len(causes))
            slices = sum(cause["slices"] for cause in head["causes"])
            true = [cause["slices"] for cause in head["causes"] if name_of(cause) in names]
            shares.append(sum(true) / slices)
        means = (np.mean(values) for values in (first, exact, shares, counts))
        right, all_right, share, number = means
        print(
            f"| {truth} | {len(first) / options.repetitions:.1%} | {right:.1%} | {all_right:.1%}"
            f" | {share:.1%} | {number:.2f} |"
        )
    print(f"\n{time.process_time() - start:.0f} seconds of processor time")


if __name__ == "__main__":
    main()
