"""How fast TFRecord files of tf.train.Example are read, beside TensorFlow, and in how much memory.

    .venv/bin/python benchmarks/records.py [--rounds 5] [--tensorflow PYTHON] [--large]

Writes 200,000 records of five features (`logits`, `label`, `weight`, `country`, `user_age`), all of
one byte layout (fixed) or with texts and integers of several lengths (ragged), and reads them to
columns in processes of their own, pinned to one core, in turn: headcount's reader, and TensorFlow's
`TFRecordDataset` with `parse_example` where PYTHON is an interpreter that has it. Every checksum is
verified. Prints thousands of records a second, from the second of two passes in each process.

`--large` also writes and reads a file of 2 GB and prints the peak of memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example

ROWS = 200_000
LARGE_BYTES = 2 << 30
KINDS = ("fixed", "ragged")
OURS = """
import sys, time
from pipeline.readers.read import read_rows
from pipeline.readers.shards import WorkItem
from pipeline.readers.shards import make_shard
from pipeline.readers.storage import open_local
item = WorkItem(make_shard(sys.argv[1], 0))
columns = ["country", "label", "logits", "user_age", "weight"]
for _ in range(2):
    start, rows = time.perf_counter(), 0
    for batch in read_rows(item, columns, 1 << 17, open_local):
        rows += len(batch)
    seconds = time.perf_counter() - start
print(rows / seconds / 1000)
"""
THEIRS = """
import os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
column = lambda kind: tf.io.FixedLenFeature([1], kind)
features = {"logits": column(tf.float32), "label": column(tf.float32), "weight": column(tf.float32),
            "country": column(tf.string), "user_age": column(tf.int64)}
for _ in range(2):
    start, rows = time.perf_counter(), 0
    records = tf.data.TFRecordDataset(sys.argv[1]).batch(2048)
    for columns in records.map(lambda batch: tf.io.parse_example(batch, features)):
        rows += len([column.numpy() for column in columns.values()][0])
    seconds = time.perf_counter() - start
print(rows / seconds / 1000)
"""
PEAK = """
import resource, sys
from pipeline.readers.read import read_rows
from pipeline.readers.shards import WorkItem
from pipeline.readers.shards import make_shard
from pipeline.readers.storage import open_local
item = WorkItem(make_shard(sys.argv[1], 0))
rows = sum(len(rows) for rows in read_rows(item, ["label", "weight"], 1 << 17, open_local))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def payloads(kind: str, rows: int) -> list[bytes]:
    rng = np.random.default_rng(rows)
    numbers = rng.random((rows, 3)).astype(np.float32) + np.float32(0.1)
    ages = rng.integers(20, 100, rows) if kind == "fixed" else rng.integers(0, 1 << 20, rows)
    sizes = np.full(rows, 2) if kind == "fixed" else rng.integers(1, 12, rows)
    return [
        encode_example(
            {
                "logits": [float(row[0])],
                "label": [float(row[1])],
                "weight": [float(row[2])],
                "country": ["x" * size],
                "user_age": [age],
            }
        )
        for row, age, size in zip(numbers, ages.tolist(), sizes.tolist(), strict=True)
    ]


def run(python: str, code: str, path: Path) -> list[float]:
    """The numbers that a program prints, run on one core."""
    core = {max(os.sched_getaffinity(0))}
    done = subprocess.run(
        [python, "-c", code, str(path)],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, core),
    )
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tensorflow", metavar="PYTHON")
    parser.add_argument("--large", action="store_true")
    known = parser.parse_args()
    programs = {"headcount": (sys.executable, OURS)}
    if known.tensorflow:
        programs["TensorFlow"] = (known.tensorflow, THEIRS)
    with tempfile.TemporaryDirectory() as place:
        print("| records | reader | median | rounds |", "|---|---|---|---|", sep="\n")
        for kind in KINDS:
            path = Path(place) / f"{kind}.tfrecord"
            write_records(path, payloads(kind, ROWS))
            rates: dict[str, list[float]] = {name: [] for name in programs}
            for _ in range(known.rounds):
                for name, (python, code) in programs.items():
                    rates[name] += run(python, code, path)
            for name, program_rates in rates.items():
                rounds_text = " ".join(f"{rate:.0f}" for rate in program_rates)
                median = statistics.median(program_rates)
                print(f"| {kind} | {name} | {median:.0f} | {rounds_text} |")
        if known.large:
            path = Path(place) / "large.tfrecord"
            content = (Path(place) / "ragged.tfrecord").read_bytes()
            with path.open("wb") as file:
                while file.tell() < LARGE_BYTES:
                    file.write(content)
            rows, peak = run(sys.executable, PEAK, path)
            size = path.stat().st_size
            print(f"\n{size:,} bytes, {int(rows):,} records: peak {peak:.0f} MB")


if __name__ == "__main__":
    main()
