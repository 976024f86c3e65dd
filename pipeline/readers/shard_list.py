"""The shards of a run as a file: a line for each few of them, which a worker takes together."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.readers.shards import Shard, make_shard

# There are about so many lines at least, for all workers, with so many shards each at most; but no
# more than so many lines.
_FEW_LINES, _TOGETHER, _MOST_LINES = 64, 32, 4096


def write_shards(shards: Sequence[Shard]) -> bytes:
    """The file, which `parse_shards` reads line by line.

    >>> shards = [make_shard(f"part-{i}.parquet", 9) for i in range(2)]
    >>> [parse_shards(line) for line in write_shards(shards).splitlines()] == [[s] for s in shards]
    True
    """
    together = max(1, min(_TOGETHER, len(shards) // _FEW_LINES), -(-len(shards) // _MOST_LINES))
    chunks = [shards[first : first + together] for first in range(0, len(shards), together)]
    return b"".join(shard_line(chunk) + b"\n" for chunk in chunks)


def shard_line(shards: Sequence[Shard]) -> bytes:
    """One line of the file."""
    return json.dumps([[s.path, s.bytes, s.rows, s.crc32c] for s in shards]).encode()


def parse_shards(line: bytes) -> list[Shard]:
    """The shards of a line."""
    return [make_shard(*values) for values in json.loads(line)]
