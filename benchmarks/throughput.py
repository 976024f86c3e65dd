"""Rows per second, peak memory and start-up time of `headcount run`, in one process.

    .venv/bin/python benchmarks/throughput.py [--rounds 3] [--directory DIR] [--beside PROGRAM]

Writes Parquet files of a weighted binary head with eight slices, runs the command on 10,000 rows,
on 2.5 million and on 10 million in turn, and prints for each round the time of the small job, the
rows per second between the two large ones (the slope, which start-up does not enter), the peak
memory of the largest, and, as a floor run side by side, the rate at which Arrow alone decodes the
same columns in a process of its own. With `--beside` another `headcount` program, say of an older
release in an environment of its own, runs in turn. Quote the medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SMALL, MEDIUM, LARGE = 10_000, 2_500_000, 10_000_000
ROWS_PER_FILE = 1_250_000
COUNTRIES = ["BR", "CH", "CN", "DE", "FR", "IN", "JP", "US"]
CONFIG = """
slices: [{column: country}]
heads:
  click: {type: binary, logits: logit, label: label, weight: weight, thresholds: [0.25, 0.5, 0.75]}
"""
DECODE = """
import sys, time
import pyarrow.parquet as pq
start = time.perf_counter()
for path in sys.argv[1:]:
    for batch in pq.ParquetFile(path, read_dictionary=["country"]).iter_batches(1 << 17):
        pass
print(time.perf_counter() - start)
"""


def write_rows(directory: Path, rows: int) -> None:
    directory.mkdir(parents=True)
    rng = np.random.default_rng(rows)
    for number, first in enumerate(range(0, rows, ROWS_PER_FILE)):
        n = min(ROWS_PER_FILE, rows - first)
        logit = rng.normal(-2, 1.5, n).astype(np.float32)
        codes = pa.array(rng.integers(0, len(COUNTRIES), n).astype(np.int8))
        table = pa.table(
            {
                "logit": logit,
                "label": (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int8),
                "weight": rng.gamma(2, 1, n).astype(np.float32),
                "country": pa.DictionaryArray.from_arrays(codes, COUNTRIES).cast(pa.string()),
            }
        )
        pq.write_table(table, directory / f"part-{number:05d}.parquet", row_group_size=1 << 17)


class Taken(NamedTuple):
    """What a command took.

    Attributes:
        seconds: its wall time.
        processor_seconds: its time on all cores, which other programs disturb less.
        peak: its memory, in MB.
    """

    seconds: float
    processor_seconds: float
    peak: float


def run(command: list[str]) -> Taken:
    """Runs a command, and returns what it took."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    seconds = time.perf_counter() - start
    return Taken(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)


def measure(directory: Path, rounds: int, beside: Path | None) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "config.yaml"
    config.write_text(CONFIG)
    for rows in (SMALL, MEDIUM, LARGE):
        if not (directory / str(rows)).exists():
            write_rows(directory / str(rows), rows)
    programs = {"": Path(sys.executable).with_name("headcount")}
    if beside is not None:
        programs["beside: "] = beside

    def headcount(program: Path, rows: int) -> Taken:
        files, output = directory / str(rows) / "*.parquet", directory / "out"
        options = ["--config", config, "--input", files, "--output", output, "--overwrite"]
        return run([str(program), "run", *map(str, options)])

    def decode(rows: int) -> float:
        files = sorted(map(str, (directory / str(rows)).glob("*.parquet")))
        command = [sys.executable, "-c", DECODE, *files]
        return float(subprocess.run(command, capture_output=True, check=True).stdout)

    for program in programs.values():
        headcount(program, SMALL)
    columns: dict[str, list[float]] = {}
    for number in range(rounds):
        floor = LARGE / decode(LARGE)
        # Size by size, so that what is compared runs one right after the other, in turns of who
        # is first.
        names = list(programs) if number % 2 else list(programs)[::-1]
        found = {
            rows: {name: headcount(programs[name], rows) for name in names}
            for rows in (SMALL, MEDIUM, LARGE)
        }
        for name in programs:
            large = found[LARGE][name]
            rate = (LARGE - MEDIUM) / (large.seconds - found[MEDIUM][name].seconds)
            for what, value in {
                f"seconds of {SMALL:,} rows": found[SMALL][name].seconds,
                f"seconds of {LARGE:,} rows": large.seconds,
                "million rows/s (slope)": rate / 1e6,
                "million rows/s decode alone": floor / 1e6,
                "share of the decode rate": rate / floor,
                "peak MB": large.peak,
            }.items():
                columns.setdefault(f"{name}{what}", []).append(value)
        if beside is not None:
            for rows, taken in found.items():
                new, old = taken[""], taken["beside: "]
                for what, ratio in {
                    "seconds": new.seconds / old.seconds,
                    "processor seconds": new.processor_seconds / old.processor_seconds,
                }.items():
                    columns.setdefault(f"ratio of {what}, {rows:,} rows", []).append(ratio)
    for name, values in columns.items():
        rounds_text = "  ".join(f"{value:.2f}" for value in values)
        print(f"{name:45s} median {statistics.median(values):8.2f}   ({rounds_text})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="where to keep the files for another time")
    parser.add_argument("--beside", type=Path, help="a headcount of another release, run in turn")
    arguments = parser.parse_args()
    if arguments.directory:
        measure(arguments.directory, arguments.rounds, arguments.beside)
    else:
        with tempfile.TemporaryDirectory() as directory:
            measure(Path(directory), arguments.rounds, arguments.beside)


if __name__ == "__main__":
    main()
