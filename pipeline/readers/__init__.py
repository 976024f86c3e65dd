"""From shards to rows: Parquet and TFRecord files as batches of Arrow columns. No Beam here."""

from pipeline.readers.rows import inspect, plan_items, read_columns, read_rows
from pipeline.readers.shards import Shard, WorkItem

__all__ = [
    "Shard",
    "WorkItem",
    "inspect",
    "plan_items",
    "read_columns",
    "read_rows",
]
