"""Stores the shards of a run in a file; a worker takes the few shards of a line together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from pipeline.readers.shards import Shard
from pipeline.readers.stamps import Stamp

# The shards are spread over at least about this many lines, so that all workers have work.
_FEW_LINES = 64
# A line has at most this many shards, unless there would then be more than `_MOST_LINES` lines.
_SHARDS_PER_LINE, _MOST_LINES = 32, 4096


def write_shards(shards: Sequence[Shard]) -> bytes:
    """Returns the content of the file, whose lines `parse_shards` reads.

    >>> shards = [Shard(f"part-{i}.parquet", 9, "parquet") for i in range(2)]
    >>> [parse_shards(line) for line in write_shards(shards).splitlines()] == [[s] for s in shards]
    True
    """
    size = max(1, min(_SHARDS_PER_LINE, len(shards) // _FEW_LINES), -(-len(shards) // _MOST_LINES))
    chunks = [shards[first : first + size] for first in range(0, len(shards), size)]
    return b"".join(shard_line(chunk) + b"\n" for chunk in chunks)


def shard_line(shards: Sequence[Shard]) -> bytes:
    """Returns the line of the file for some shards, without a line break."""
    return json.dumps([dataclasses.astuple(shard) for shard in shards]).encode()


def parse_shards(line: bytes) -> list[Shard]:
    """Returns the shards of a line of the file."""
    return [
        Shard(path, size, told, rows, crc32c, None if stamp is None else Stamp(*stamp))
        for path, size, told, rows, crc32c, stamp in json.loads(line)
    ]
