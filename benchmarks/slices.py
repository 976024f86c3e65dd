"""What slices and intervals cost: `headcount run` with and without, side by side.

    .venv/bin/python benchmarks/slices.py [--rounds 3] [--rows 4000000] [--directory DIR]

Writes Parquet files of a weighted binary head with ten columns of 2 to 12 values and one of 10,000,
and runs the same head in turn without slices, by one column, by ten, by four columns and their six
crosses, by the one of 10,000 values, and by one column without folds. Prints wall seconds of every
round, the ratio to one column, and peak memory. Quote the medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from throughput import run

ROWS_PER_FILE = 1 << 20
SIZES = (8, 4, 5, 3, 6, 7, 2, 10, 12, 9)
MANY = 10_000
HEAD = "heads: {click: {type: binary, logits: logit, label: label, weight: weight}}\n"
COLUMNS = [f"c{number}" for number in range(len(SIZES))]
CROSSES = [f"{{columns: [{a}, {b}]}}" for a, b in combinations(COLUMNS[:4], 2)]
CONFIGS = {
    "one column": f"slices: [{COLUMNS[0]}]",
    "no slices": "",
    "ten columns": f"slices: [{', '.join(COLUMNS)}]",
    "four columns and their six crosses": f"slices: [{', '.join([*COLUMNS[:4], *CROSSES])}]",
    "10,000 values": "slices: [user]",
    "one column, no intervals": f"slices: [{COLUMNS[0]}]\nconfidence: {{folds: 0}}",
}


def write_rows(directory: Path, rows: int) -> None:
    directory.mkdir(parents=True)
    rng = np.random.default_rng(rows)
    for number, first in enumerate(range(0, rows, ROWS_PER_FILE)):
        n = min(ROWS_PER_FILE, rows - first)
        logit = rng.normal(-2, 1.5, n).astype(np.float32)
        columns = {
            "logit": pa.array(logit),
            "label": pa.array((rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int8)),
            "weight": pa.array(rng.gamma(2, 1, n).astype(np.float32)),
            "user": pa.array(rng.integers(0, MANY, n)),
        }
        for name, size in zip(COLUMNS, SIZES, strict=True):
            codes = pa.array(rng.integers(0, size, n).astype(np.int8))
            words = [f"v{value}" for value in range(size)]
            columns[name] = pa.DictionaryArray.from_arrays(codes, words).cast(pa.string())
        path = directory / f"part-{number:05d}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=1 << 17)


def measure(directory: Path, rows: int, rounds: int) -> None:
    data = directory / str(rows)
    if not data.exists():
        write_rows(data, rows)
    program = str(Path(sys.executable).parent / "headcount")
    seconds: dict[str, list[float]] = {name: [] for name in CONFIGS}
    peak: dict[str, float] = {}
    for _ in range(rounds):
        for name, text in CONFIGS.items():
            config = directory / "config.yaml"
            config.write_text(f"{text}\n{HEAD}")
            command = [program, "run", "--config", str(config), "--input", f"{data}/*.parquet"]
            command += ["--output", str(directory / "out"), "--overwrite"]
            taken, _, peak[name] = run(command)
            seconds[name].append(taken)
    print(
        f"{rows:,} rows\n\n| | seconds | ratio to one column | peak MB | rounds |",
        "|---|---|---|---|---|",
        sep="\n",
    )
    first = statistics.median(seconds["one column"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        rounds_text = " ".join(f"{round_seconds:.1f}" for round_seconds in taken)
        print(
            f"| {name} | {median:.1f} | {median / first:.2f} | {peak[name]:.0f} | {rounds_text} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--directory", type=Path)
    known = parser.parse_args()
    if known.directory is not None:
        measure(known.directory, known.rows, known.rounds)
        return
    with tempfile.TemporaryDirectory() as place:
        measure(Path(place), known.rows, known.rounds)


if __name__ == "__main__":
    main()
