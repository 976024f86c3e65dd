"""A differential fuzz of the reader of tf.train.Example against the protobuf runtime.

    .venv/bin/python -m tests.pipeline.readers.tfrecord.fuzz_examples \
        [--records N] [--seconds N] [--seed N]

It damages odd records at random, reads all records that the runtime accepts in a single file, and
compares all values. Of the records that the runtime refuses, the reader must refuse a sample. The
fuzz ends after the given number of damaged records or seconds, whichever comes first. At the first
difference it ends with exit code 1 and prints the seed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from pipeline.errors.faults import DataFault
from pipeline.readers.tfrecord import wire
from tests.pipeline.readers.tfrecord.example_records import (
    COLUMNS,
    KINDS,
    NO_FEATURES,
    Shard,
    Writer,
    assert_equal,
    by_runtime,
    mutate,
    without_others,
)

_FEW = wire.FEW
_TOGETHER = 400
_REFUSED = 3


def fuzz_seed(seed: int, place: Path) -> tuple[int, int]:
    """Returns the number of damaged records of a seed, and how many were accepted and compared.

    Raises:
        AssertionError: if a value differs, or a record that cannot be read is accepted.
    """
    writer = Writer(seed)
    # As in real files, the records of half of the rounds are plain, except for the damage.
    writer.oddity = 0.0 if seed % 2 else writer.oddity
    # Lock step is meant for many similar records, but odd records have to meet it too.
    wire.FEW = 1 if seed % 4 < 2 else _FEW
    records = [mutate(writer.rng, writer.record()) for _ in range(_TOGETHER)]
    accepted, expected = [], []
    for content in records:
        lists = by_runtime(content)
        kinds = {} if lists is None else {name: kind for name, (kind, _) in lists.items()}
        if lists is not None and all(KINDS.get(name, kind) == kind for name, kind in kinds.items()):
            accepted.append(content)
            expected.append(lists)
    assert_equal(list(Shard(place, accepted).batches(batch_rows=150)), COLUMNS, expected)
    # The values of features that are not wanted are not read.
    refused = [
        content
        for content in records
        if by_runtime(content) is None and by_runtime(without_others(content)) is None
    ]
    for content in refused[:_REFUSED]:
        try:
            list(Shard(place, [NO_FEATURES] * 40 + [content] * 40).batches())
        except DataFault:
            continue
        raise AssertionError(f"accepted, and the runtime refuses it: {content!r}")
    return len(records), len(accepted)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    start, seed, made, accepted = time.monotonic(), arguments.seed, 0, 0
    with tempfile.TemporaryDirectory() as place:
        while made < arguments.records and time.monotonic() - start < arguments.seconds:
            try:
                counts = fuzz_seed(seed, Path(place) / "shard")
            except AssertionError as error:
                print(f"seed {seed}: {error}", file=sys.stderr)
                return 1
            made, accepted, seed = made + counts[0], accepted + counts[1], seed + 1
    seconds = time.monotonic() - start
    print(f"{made:,} damaged records, {accepted:,} accepted, 0 wrong, in {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
