"""Slices: which there are, and which of them a row belongs to.

Unless the configuration lists them all (`fixed_table`), a `SliceCounter` for each bundle of rows
counts the rows of every slice, `merge_counts` adds the counts up, and `decide` keeps the largest
slices. A `Slicer` then gives every batch its segments.
"""

from pipeline.slicing.codes import check_slice_type
from pipeline.slicing.conditions import report_order
from pipeline.slicing.counting import PARTS, SliceCounter, SliceCounts, merge_counts
from pipeline.slicing.entries import MAX_COMBINATIONS
from pipeline.slicing.grouping import MAX_CROSS
from pipeline.slicing.slicer import Pass, Slicer
from pipeline.slicing.table import SliceTable, SpecSlices, decide, fixed_table

__all__ = [
    "MAX_COMBINATIONS",
    "MAX_CROSS",
    "PARTS",
    "Pass",
    "SliceCounter",
    "SliceCounts",
    "SliceTable",
    "Slicer",
    "SpecSlices",
    "check_slice_type",
    "decide",
    "fixed_table",
    "merge_counts",
    "report_order",
]
