"""Footers of Parquet files that were read, so that a file's is not read for each of its parts."""

from __future__ import annotations

import threading
from collections import OrderedDict

from pipeline.readers.parquet_footer import ParquetFooter
from pipeline.readers.shards import Shard

MAX_BYTES = 4 << 20
"""How many bytes of footers are kept, as they are in files; in memory they take about ten times as
many."""


class FooterCache:
    """The footers that were used last, of at most `MAX_BYTES`; several threads may use it.

    The very last is kept even if it is larger, for the parts of a file are read one after the
    other. The cache is made for one evaluation, or one bundle of it, for files may change from one
    to the next.
    """

    def __init__(self) -> None:
        self._footers: OrderedDict[Shard, ParquetFooter] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, shard: Shard) -> ParquetFooter | None:
        """The footer of a shard; None if it is not kept."""
        with self._lock:
            if shard in self._footers:
                self._footers.move_to_end(shard)
            return self._footers.get(shard)

    def put(self, shard: Shard, footer: ParquetFooter) -> None:
        """Keeps a footer, and as many of those used last as there is room for."""
        with self._lock:
            if shard in self._footers:
                return
            self._footers[shard] = footer
            self._bytes += len(footer.data)
            while self._bytes > MAX_BYTES and len(self._footers) > 1:
                _, oldest = self._footers.popitem(last=False)
                self._bytes -= len(oldest.data)
