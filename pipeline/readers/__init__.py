"""From shards to rows: Parquet and TFRecord files as batches of Arrow columns. No Beam here."""

from pipeline.readers.rows import has_page_checksums, plan_items, read_columns, read_rows
from pipeline.readers.shards import OpenFile, Shard, WorkItem

__all__ = [
    "OpenFile",
    "Shard",
    "WorkItem",
    "has_page_checksums",
    "plan_items",
    "read_columns",
    "read_rows",
]
