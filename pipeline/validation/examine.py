"""Examines a shard before its rows are read."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors.faults import DataFault
from pipeline.readers.footer_cache import FooterCache
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
    footers: FooterCache | None = None,
) -> tuple[Sequence[WorkItem], Findings, InputSummary]:
    """Returns the work items of a shard, and what is known about it before its rows are read.

    Args:
        shard: the shard.
        names: the names of the columns that are read.
        open_file: opens the file of the shard.
        options: how to read TFRecord files.
        records: the number of records of a TFRecord file that are examined.
        footers: gets the footer of a Parquet file, for those who read its rows.

    Returns:
        The work items, the findings, and the summary of the input. A shard that cannot be read has
        no work items, an empty summary, and a failure in its findings.

    Raises:
        ReadError: if the file cannot be read now.
    """
    findings = Findings(frozenset([shard]))
    try:
        inspection = inspect(shard, open_file, options, records, footers, names)
    except DataFault as fault:
        return [], findings + Findings(failures={shard.path: str(fault)}), InputSummary()
    if inspection.page_checksums is False:
        findings += Findings(unverified=frozenset([shard.path]))
    return inspection.items, findings, summarize_input(shard, inspection, names, open_file)
