"""The merged states of a run as partitions of its slices, and the results of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsSingleton
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from heads.statistics.codec import decode, encode, encoded_shift
from pipeline.beam.combine import MergeInTree, MergeStates, tree_widths
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.state_key import Series, StateKey
from pipeline.results.compute import (
    OverallMetrics,
    compute,
    compute_distributions,
    compute_overall,
)
from pipeline.results.partition import (
    Partition,
    PartitionKey,
    overall_shift,
    partition_of,
    shift_to_align,
)
from pipeline.slicing.table import SliceTable

Key = tuple[str, int, str, int]
"""A `StateKey` as a plain tuple, because every runner has a deterministic coder for tuples."""


def in_global_window(element: object) -> WindowedValue:
    """Returns what a bundle emits at its end: its elements are in no other window."""
    window = GlobalWindow()
    return WindowedValue(element, window.max_timestamp(), (window,))


def compute_partitions(
    states: beam.PCollection[tuple[Key, bytes]], plan: Plan, table: AsSingleton, bundles: int
) -> beam.PCollection[Partition]:
    """Merges states, and computes the results of each partition of the slices.

    Args:
        states: the encoded states of all bundles.
        plan: the plan of the run.
        table: the table of slices, as a side input.
        bundles: from how many bundles states may come.
    """
    merged = states | "MergeStates" >> MergeInTree(
        MergeStates(), tree_widths(bundles, plan.partition_bytes)
    )
    shifts = merged | "HistogramShifts" >> beam.FlatMap(_overall_shift)
    grouped = (
        merged
        | "AlignShifts"
        >> beam.Map(_align_shifts, AsDict(shifts)).with_output_types(
            tuple[PartitionKey, tuple[Key, bytes]]
        )
        | "Partitions" >> beam.GroupByKey()
    )
    overall: dict[str, AsDict] = {}
    if plan.config.against_overall:
        found = grouped | "ComputeOverall" >> beam.FlatMap(_compute_overall, plan, table)
        overall = {"overall": AsDict(found)}
    return grouped | "ComputeMetrics" >> beam.Map(_compute, plan, table, **overall)


def _overall_shift(element: tuple[Key, bytes]) -> Iterator[tuple[Series, int]]:
    key, state = element
    return overall_shift(StateKey(*key), encoded_shift(state))


def _align_shifts(
    element: tuple[Key, bytes], shifts: Mapping[Series, int]
) -> tuple[PartitionKey, tuple[Key, bytes]]:
    key, state = element
    shift = shift_to_align(StateKey(*key), shifts)
    if encoded_shift(state) < shift:
        state = encode(decode(state, trusted=True).coarsened(shift))
    return partition_of(StateKey(*key)), (key, state)


def _compute_overall(
    element: tuple[PartitionKey, Iterable[tuple[Key, bytes]]], plan: Plan, table: SliceTable
) -> Iterator[tuple[str, OverallMetrics]]:
    (head, number), states = element
    if number == 0:
        decoded = {StateKey(*key): decode(state, trusted=True) for key, state in states}
        yield head, compute_overall(plan, table, head, decoded)


def _compute(
    element: tuple[PartitionKey, Iterable[tuple[Key, bytes]]],
    plan: Plan,
    table: SliceTable,
    overall: Mapping[str, OverallMetrics] | None = None,
) -> Partition:
    partition, states = element
    encoded = {StateKey(*key): state for key, state in states}
    decoded = {key: decode(state, trusted=True) for key, state in encoded.items()}
    of_overall = () if overall is None else overall[partition[0]]
    results = compute(plan, table, partition[0], decoded, of_overall)
    distributions = compute_distributions(plan, table, partition[0], decoded)
    return Partition(partition, results, encoded, distributions)
