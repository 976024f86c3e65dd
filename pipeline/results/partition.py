"""What becomes of the slices of one partition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.results.results import Results


class Partition(NamedTuple):
    """The results of some slices of a head, and the merged states that they come from.

    Attributes:
        head: name of the head.
        number: which partition.
        results: the results of the report.
        states: the merged states, encoded, by position in what is measured for the head.
    """

    head: str
    number: int
    results: Results
    states: Mapping[int, bytes]
