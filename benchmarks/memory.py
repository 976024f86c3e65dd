"""Peak memory of `headcount run` over rows of many numbers and of long texts, of whole processes.

    .venv/bin/python benchmarks/memory.py [--rounds 1] [--directory DIR] [--beside PROGRAM]

Writes files of a single row group each, runs the command on each in a process, and prints the
largest resident memory that the system counted for the process, and its seconds. With `--beside`
another `headcount` program, say of an older release in an environment of its own, runs in turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example

CLASSES = """
heads:
  h:
    type: multi_class
    n_classes: {width}
    logits: c
    label: k
    metrics: [average_loss, accuracy]
"""
INDEX = """
max_bad_fraction: 1
heads: {h: {type: binary, logits: {column: c, index: 3}, label: y}}
"""
KEY = """
confidence: {key: t}
heads: {h: {type: binary, logits: s, label: y}}
"""


class Input(NamedTuple):
    """What the command is run on.

    Attributes:
        file: the name of the file.
        write: writes it.
        config: the configuration.
    """

    file: str
    write: Callable[[Path], None]
    config: str


def write_wide(path: Path, rows: int, width: int, dtype: str, nulls: int = 0) -> None:
    """Writes rows of so many numbers, and then rows of none."""
    rng = np.random.default_rng(rows)
    total = rows + nulls
    ends = np.append(np.arange(rows) * width, np.full(nulls + 1, rows * width))
    numbers = np.resize(rng.normal(size=1 << 21).astype(dtype), rows * width)
    lists = pa.LargeListArray.from_arrays(ends, numbers, mask=pa.array(np.arange(total) >= rows))
    labels = {"k": rng.integers(0, width, total), "y": rng.integers(0, 2, total)}
    options = {"use_dictionary": False, "compression": "none"}
    pq.write_table(pa.table({"c": lists, **labels}), path, row_group_size=total, **options)


def write_texts(path: Path, rows: int, size: int, encoding: str) -> None:
    """Writes rows with texts of about so many bytes, all of them different."""
    rng = np.random.default_rng(size)
    words = [f"{'x' * size}{row}" for row in range(rows)]
    table = pa.table({"s": rng.normal(size=rows), "y": rng.integers(0, 2, rows), "t": words})
    options = {"use_dictionary": False, "column_encoding": {"t": encoding}}
    pq.write_table(table, path, row_group_size=rows, **options)


def write_examples(path: Path, rows: int, numbers: np.ndarray) -> None:
    """Writes TFRecords, whose lists of numbers repeat."""
    lists = numbers.tolist()

    def payloads() -> Iterator[bytes]:
        for row in range(rows):
            yield encode_example(
                {"c": lists[row % len(lists)], "k": [row % len(lists[0])], "y": [row % 2]}
            )

    write_records(path, payloads())


def inputs() -> dict[str, Input]:
    """All inputs by what they are."""
    rng = np.random.default_rng(0)
    floats, bits = rng.normal(size=(64, 10_000)), rng.integers(0, 2, (64, 10_000))
    thousand = partial(write_wide, rows=131_072, width=1000, dtype="f4")
    classes, many_classes = CLASSES.format(width=1000), CLASSES.format(width=10_000)
    return {
        "131,072 rows of 1,000 float32": Input("a.parquet", thousand, classes),
        "the same, of which one is a score": Input("a.parquet", thousand, INDEX),
        "20,000 rows of 10,000 float32": Input(
            "b.parquet", partial(write_wide, rows=20_000, width=10_000, dtype="f4"), many_classes
        ),
        "20,000 rows of 10,000 float64": Input(
            "c.parquet", partial(write_wide, rows=20_000, width=10_000, dtype="f8"), many_classes
        ),
        "10,000 rows of 10,000 float32, a million without": Input(
            "d.parquet",
            partial(write_wide, rows=10_000, width=10_000, dtype="f4", nulls=1_000_000),
            INDEX,
        ),
        "100,000 texts of 5,000 bytes": Input(
            "e.parquet", partial(write_texts, rows=100_000, size=5000, encoding="PLAIN"), KEY
        ),
        "the same, of which only ends are stored": Input(
            "f.parquet",
            partial(write_texts, rows=100_000, size=5000, encoding="DELTA_BYTE_ARRAY"),
            KEY,
        ),
        "TFRecord, 5,000 rows of 10,000 floats": Input(
            "g.tfrecord", partial(write_examples, rows=5000, numbers=floats), many_classes
        ),
        "TFRecord, 10,000 rows of 10,000 small integers": Input(
            "h.tfrecord", partial(write_examples, rows=10_000, numbers=bits), INDEX
        ),
    }


def run(program: Path, directory: Path, given: Input) -> tuple[float, float]:
    """Runs the command, and returns its peak memory in MB and its seconds."""
    (directory / "config.yaml").write_text(given.config)
    command = [str(program), "run", "--config", str(directory / "config.yaml")]
    command += ["--input", str(directory / given.file)]
    with tempfile.TemporaryDirectory() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--output", f"{output}/out"], stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    if status:
        return float("nan"), seconds
    return usage.ru_maxrss / 1000, seconds


def measure(directory: Path, rounds: int, beside: Path | None) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    programs = {"": Path(sys.executable).with_name("headcount")}
    if beside is not None:
        programs["beside: "] = beside
    for what, given in inputs().items():
        if not (directory / given.file).exists():
            # The memory of a process counts for the programs that it starts.
            with get_context("spawn").Pool(1) as pool:
                pool.apply(given.write, [directory / given.file])
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
        for _ in range(rounds):
            for name, program in programs.items():
                taken[name].append(run(program, directory, given))
        for name, found in taken.items():
            peak, seconds = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{name + what:60s} {peak:6.0f} MB {seconds:6.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
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
