"""What it costs to merge the states of many shards, and what they weigh.

    .venv/bin/python benchmarks/merging.py [--shards 100 1000 10000] [--slices 1000] [--bundles 256]
        [--workers 1 2]

Measures a few shards of 50,000 rows of a weighted binary head with intervals, whose rows fall into
so many slices, and merges their states over and over as if they were those of so many shards, with
the `CombineFn` of the pipeline: each bundle merges the states of its shards, and those of bundles
are merged in the tree that a cluster of so many bundles gets. Pieces of states are merged apart, by
as many processes as there are workers. Prints for each number of shards and of workers the bytes of
states that are merged, the seconds and processor seconds, how many states meet in one place at most
and their bytes, and the peak memory of a worker; and checks that every row has arrived.
"""

from __future__ import annotations

import argparse
import resource
import time
import zlib
from collections import defaultdict
from collections.abc import Sequence
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from heads.statistics import OVERALL
from heads.statistics.codec import decode, encode
from pipeline.beam.combine import MergeStates, tree_widths
from pipeline.config.load import parse_config
from pipeline.evaluation.evaluator import Evaluator
from pipeline.evaluation.plan import Plan, make_plan
from pipeline.evaluation.slice_counting import CountingPass, decide_slices
from pipeline.evaluation.state_key import StateKey
from pipeline.readers.rows import Rows
from pipeline.readers.storage import open_local

ROWS = 50_000
DISTINCT = 8
CONFIG = """
slices: [{column: user, max_slices: 20000}]
heads: {click: {type: binary, logits: logit, label: label, weight: weight}}
"""

Encoded = dict[StateKey, bytes]


def shards(plan: Plan, slices: int) -> list[Encoded]:
    """The encoded states of a few shards of the same slices."""
    rng = np.random.default_rng(0)
    tables = []
    for number in range(DISTINCT):
        logit = rng.normal(-2, 1.5, ROWS).astype(np.float32)
        columns = {
            "logit": logit,
            "label": (rng.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(np.int8),
            "weight": rng.gamma(2, 1, ROWS).astype(np.float32),
            # Some slices are large, most are small.
            "user": (slices * rng.random(ROWS) ** 2).astype(np.int64),
        }
        tables.append(Rows(pa.record_batch(columns), np.arange(ROWS), f"{number}.parquet", {}))
    counting = CountingPass(plan, open_local)
    for rows in tables:
        counting.add(rows)
    table = decide_slices(plan, counting.counts())
    found = []
    for rows in tables:
        evaluator = Evaluator(plan, table, open_local)
        evaluator.add(rows)
        found.append({key: encode(state) for key, state in evaluator.states().items()})
    return found


def merge_all(states: Sequence[bytes]) -> bytes:
    """Merges as a bundle does: one state after the other is added, then what is held is merged."""
    merging = MergeStates()
    accumulator = merging.create_accumulator()
    for state in states:
        accumulator = merging.add_input(accumulator, state)
    return merging.extract_output(accumulator)


class Merged(NamedTuple):
    """What it took to merge the states of one key.

    Attributes:
        together: how many states met in one place at most.
        together_bytes: their bytes.
        result_bytes: those of the merged state.
        rows: how many rows overall counts, for the key of the state that counts them; else 0.
        peak: memory of the process that did it, in kB.
    """

    together: int
    together_bytes: int
    result_bytes: int
    rows: int
    peak: int


def merge_shards(
    key: StateKey, distinct: list[bytes], count: int, widths: list[int], counting: StateKey
) -> Merged:
    """Merges the states that so many shards have of one key: in bundles, then in the tree."""
    bundles, *groups_in = widths
    rng = np.random.default_rng(zlib.crc32(str(key).encode()))
    bundle_shards = -(-count // bundles)
    level = [
        merge_all(
            [
                distinct[shard % len(distinct)]
                for shard in range(first, min(first + bundle_shards, count))
            ]
        )
        for first in range(0, count, bundle_shards)
    ]
    together = together_bytes = rows = 0
    for width in [*groups_in, 1]:
        groups = defaultdict(list)
        for state in level:
            groups[int(rng.integers(width))].append(state)
        together = max(together, *map(len, groups.values()))
        together_bytes = max(together_bytes, *(sum(map(len, group)) for group in groups.values()))
        level = [merge_all(group) for group in groups.values()]
    (merged,) = level
    if key == counting:
        counted = decode(merged)
        rows = int(counted.by_segment("rows")[counted.keys.index(OVERALL)])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Merged(together, together_bytes, len(merged), rows, peak)


def merge_tree(
    distinct: list[Encoded], count: int, widths: list[int], workers: int, counting: StateKey
) -> list[str]:
    """Merges the states of so many shards with so many processes; returns what it took."""
    tasks = [
        (key, [states[key] for states in distinct if key in states], count, widths, counting)
        for key in distinct[0]
    ]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # Processes that end with the pool, so that their time is known.
    with get_context("fork").Pool(workers) as pool:
        merged_keys = pool.starmap(merge_shards, tasks, chunksize=1)
        pool.close()
        pool.join()
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = sum(merged.rows for merged in merged_keys)
    if rows != count * ROWS:
        raise SystemExit(f"{rows:,} rows arrived of {count * ROWS:,}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [
        f"{seconds:.1f}",
        f"{processor:.1f}",
        f"{1e3 * processor / count:.1f}",
        str(max(merged.together for merged in merged_keys)),
        f"{max(merged.together_bytes for merged in merged_keys) / 1e6:.1f}",
        f"{sum(merged.result_bytes for merged in merged_keys) / 1e6:.1f}",
        f"{max(merged.peak for merged in merged_keys) / 1e3:.0f}",
    ]


COLUMNS = (
    "shards",
    "workers",
    "bundles",
    "states merged, GB",
    "seconds",
    "processor seconds",
    "ms a shard",
    "most in one place",
    "MB in one place",
    "result MB",
    "peak MB of a worker",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--bundles", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    known = parser.parse_args()
    plan = make_plan(parse_config(CONFIG, "config.yaml"))
    with get_context("fork").Pool(1) as pool:
        # In a process of its own, whose memory workers do not take over.
        distinct = pool.apply(shards, (plan, known.slices))
    ((name, head),) = plan.heads.items()
    counting = StateKey.of(name, head.counting)
    size = sum(map(len, distinct[0].values()))
    largest = max(max(map(len, states.values())) for states in distinct)
    print(
        f"{known.slices:,} slices: a shard has {len(distinct[0])} states of"
        f" {size / 1e6:.1f} MB in all, the largest of {largest / 1e6:.2f} MB\n"
    )
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for count in known.shards:
        bundles = min(known.bundles, count)
        widths = [bundles, *tree_widths(bundles, plan.partition_bytes)]
        for workers in known.workers:
            told = [f"{count:,}", str(workers), str(bundles), f"{count * size / 1e9:.1f}"]
            told += merge_tree(distinct, count, widths, workers, counting)
            print(f"| {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
