"""Looking at a shard before its rows are read."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors.faults import DataFault
from pipeline.readers.input_summary import InputSummary, summarize_input
from pipeline.readers.read import RECORDS, inspect
from pipeline.readers.shards import Shard, WorkItem
from pipeline.readers.storage import OpenFile
from pipeline.readers.tfrecord.options import DEFAULT_OPTIONS, ReadOptions
from pipeline.validation.findings import Findings


def examine(
    shard: Shard,
    names: Sequence[str],
    open_file: OpenFile,
    options: ReadOptions = DEFAULT_OPTIONS,
    records: int = RECORDS,
) -> tuple[Sequence[WorkItem], Findings, InputSummary]:
    """The work items of a shard, and what is known of it before its rows are read.

    Takes the arguments of `inspect` and of `summarize_input`.
    """
    findings = Findings(frozenset([shard]))
    try:
        found = inspect(shard, open_file, options, records)
    except DataFault as fault:
        return [], findings + Findings(failures={shard.path: str(fault)}), InputSummary()
    if found.page_checksums is False:
        findings += Findings(unverified=frozenset([shard.path]))
    return found.items, findings, summarize_input(shard, found, names, open_file)
