"""What it costs to merge the states of many shards, and what they weigh.

    .venv/bin/python benchmarks/merging.py [--shards 100 1000 10000] [--slices 1000] [--bundles 256]

Measures a few shards of 50,000 rows of a weighted binary head with intervals, whose rows fall into
so many slices, and merges their states over and over as if they were those of so many shards, with
the `CombineFn` of the pipeline: each bundle merges the states of its shards, and those of bundles
are merged in the tree that a cluster of so many bundles gets. Prints for each number of shards the
bytes of states that are merged, the processor seconds, how many states meet in one place at most
and their bytes, and the peak memory; and checks that every row has arrived.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from heads.statistics import OVERALL
from heads.statistics.codec import decode, encode
from pipeline.beam.combine import MergeStates, tree_widths
from pipeline.columns import Rows
from pipeline.config import parse_config
from pipeline.counting import CountingPass, decide_slices
from pipeline.evaluate import Evaluator
from pipeline.plan import Plan, StateKey, make_plan
from pipeline.storage import open_local

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


def merge_tree(distinct: list[Encoded], count: int, bundles: int, piece: int) -> dict[str, float]:
    """Merges the states of so many shards; returns what it took."""
    rng = np.random.default_rng(1)
    together = most_bytes = rows = 0
    start = time.process_time()
    result = 0
    for key in distinct[0]:
        own = [states[key] for states in distinct if key in states]
        each = -(-count // bundles)
        level = [
            merge_all([own[shard % len(own)] for shard in range(first, min(first + each, count))])
            for first in range(0, count, each)
        ]
        for width in [*tree_widths(bundles, piece), 1]:
            groups = defaultdict(list)
            for state in level:
                groups[int(rng.integers(width))].append(state)
            together = max(together, *map(len, groups.values()))
            most_bytes = max(most_bytes, *(sum(map(len, group)) for group in groups.values()))
            level = [merge_all(group) for group in groups.values()]
        (merged,) = level
        result += len(merged)
        if key.statistic == 0 and key.partition == 0:
            state = decode(merged)
            rows = int(state.by_segment("rows")[state.keys.index(OVERALL)])
    seconds = time.process_time() - start
    if rows != count * ROWS:
        raise SystemExit(f"{rows:,} rows arrived of {count * ROWS:,}")
    return {
        "seconds": seconds,
        "together": together,
        "together MB": most_bytes / 1e6,
        "result MB": result / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--bundles", type=int, default=256)
    known = parser.parse_args()
    plan = make_plan(parse_config(CONFIG, "config.yaml"))
    distinct = shards(plan, known.slices)
    size = sum(map(len, distinct[0].values()))
    largest = max(max(map(len, states.values())) for states in distinct)
    print(
        f"{known.slices:,} slices: the states of a shard are {len(distinct[0])} pieces of"
        f" {size / 1e6:.1f} MB in all, the largest of {largest / 1e6:.2f} MB\n\n"
        "| shards | bundles | states merged, GB | processor seconds | ms a shard"
        " | most in one place | MB in one place | result MB | peak MB |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for count in known.shards:
        bundles = min(known.bundles, count)
        found = merge_tree(distinct, count, bundles, plan.piece_bytes)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(
            f"| {count:,} | {bundles} | {count * size / 1e9:.1f} | {found['seconds']:.1f}"
            f" | {1e3 * found['seconds'] / count:.1f} | {found['together']:.0f}"
            f" | {found['together MB']:.1f} | {found['result MB']:.1f} | {peak:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
