"""The steps of the pipeline one by one, on Beam's in-process runner."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.coders import registry
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import Scored, ScoreHistogram, Segments, State, merge, same
from heads.statistics.codec import decode, encode
from heads.statistics.measure import measure_state
from pipeline.beam.combine import FAN_IN, MergeInTree, MergeStates, tree_widths
from pipeline.beam.partitions import _align_shifts, _overall_shift
from pipeline.beam.transforms import (
    FINDINGS,
    SUMMARIES,
    WORK_BATCHES,
    CountSlices,
    Evaluate,
    MakeWorkBatches,
    Measure,
    PlanItems,
    Slices,
    WorkBatch,
    items_per_batch,
)
from pipeline.evaluate import evaluate
from pipeline.evaluation.evaluator import Evaluator
from pipeline.evaluation.input_files import InputVerdict, names_looked_for
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.slice_counting import CountingPass, decide_slices
from pipeline.evaluation.state_key import StateKey
from pipeline.readers.file_list import list_local
from pipeline.readers.input_summary import InputSummary, summarize_inputs
from pipeline.readers.shard_list import shard_line
from pipeline.readers.shards import Shard, WorkItem, make_shard
from pipeline.readers.storage import open_local
from pipeline.results.partition import Partition, partition_of
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Findings
from tests.pipeline.tables import add_counts, law, plan_items, plan_of, write

CONFIG = """
slices: [{column: g, max_slices: 3}, {columns: [g, {column: n, edges: [40]}]}]
confidence: {max_slices: 1}
heads: {h: {type: binary, logits: s, label: y, metrics: [average_loss, roc_auc]}}
"""
KNOWN = CONFIG.replace("{column: g, max_slices: 3}", "{column: g, values: [a, b]}").replace(
    ", {columns: [g, {column: n, edges: [40]}]}", ""
)
PARTS = {"a": 4000, "b": 150, "c": 90, "d": 60}


@pytest.fixture
def shards(tmp_path: Path) -> list[Shard]:
    """A file for each value of `g`; that of `a` has scores enough for a coarse histogram."""
    rng = np.random.default_rng(2)
    return [
        write(
            tmp_path / f"{name}.parquet",
            pa.table(
                {
                    "s": rng.normal(0, 2, rows),
                    "y": rng.integers(0, 2, rows),
                    "g": [name] * rows,
                    "n": rng.integers(0, 80, rows),
                }
            ),
            row_group_size=700,
        )
        for name, rows in PARTS.items()
    ]


def items_of(shards: list[Shard]) -> list[WorkItem]:
    return [item for shard in shards for item in plan_items(shard, open_local)]


def pipeline() -> beam.Pipeline:
    return beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"]))


def table_of(plan: Plan, items: list[WorkItem]) -> SliceTable:
    counting = CountingPass(plan, open_local)
    for item in items:
        counting.add_item(item)
    return decide_slices(plan, counting.counts())


def test_slices_are_those_of_all_rows(shards: list[Shard]) -> None:
    plan, items = plan_of(CONFIG), items_of(shards)
    expected = table_of(plan, items)
    assert expected.specs[0].merged_into_other == 1
    with pipeline() as p:
        groups = p | beam.Create([items[:1:-1], items[:2]]) | beam.Reshuffle()
        found = (groups, p | "InputVerdict" >> beam.Create([InputVerdict()])) | Slices(plan)
        assert_that(found, equal_to([expected]))


def test_known_slices_are_not_counted(shards: list[Shard], monkeypatch: Any) -> None:
    plan = plan_of(KNOWN.replace("max_slices: 1", "max_slices: 2"))
    monkeypatch.setattr(CountSlices, "process", lambda *_: pytest.fail("counted"))
    with pipeline() as p:
        found = (
            p | beam.Create([items_of(shards)]),
            p | "InputVerdict" >> beam.Create([InputVerdict()]),
        ) | Slices(plan)
        assert_that(found | beam.Map(lambda table: len(table.specs[0].keys)), equal_to([2]))


def test_bundles_of_counts_add_up(shards: list[Shard]) -> None:
    plan, items = plan_of(CONFIG), items_of(shards)
    bundles = []
    step = CountSlices(plan)
    for item in items:
        # One bundle an item; a step is used for bundle after bundle.
        step.start_bundle()
        step.process([item], InputVerdict())
        bundles.append(dict(element.value for element in step.finish_bundle()))
    assert len(bundles) == len(items) > 3
    assert decide_slices(plan, add_counts(plan, bundles)) == table_of(plan, items)


@pytest.mark.parametrize(("count", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_items_are_taken_together(count: int, sizes: list[int]) -> None:
    items = [WorkItem(make_shard(f"{number}.parquet", 9)) for number in range(5)]
    step = MakeWorkBatches(count)
    for _ in range(2):
        step.start_bundle()
        groups = [group for item in items for group in step.process(item)]
        groups += [element.value for element in step.finish_bundle()]
        assert [len(group) for group in groups] == sizes
        assert [item for group in groups for item in group] == items
    step.start_bundle()
    assert list(step.finish_bundle()) == []


def outputs(step: Measure, items: list[WorkItem], table: SliceTable) -> tuple[list[Any], list[Any]]:
    """What a bundle of items gives: findings, and states."""
    step.start_bundle()
    groups = [items[:1], items[1:]]
    tagged = [output for group in groups for output in step.process(group, table)]
    assert {output.tag for output in tagged} <= {FINDINGS}
    return [output.value for output in tagged], [output.value for output in step.finish_bundle()]


def test_a_bundle_gives_the_states_of_its_rows(shards: list[Shard]) -> None:
    plan, items = plan_of(CONFIG), items_of(shards)
    table = table_of(plan, items)
    step = Measure(plan, None)
    for chosen in (items, items[:1], items[3:]):
        findings, states = outputs(step, chosen, table)
        evaluator = Evaluator(plan, table, open_local)
        expected = [(item.shard.path, evaluator.add_item(item)) for item in chosen]
        assert findings == expected
        expected_states = evaluator.states()
        assert [key for key, _ in states] == [tuple(key) for key in expected_states]
        assert all(state == encode(expected_states[StateKey(*key)]) for key, state in states)
    step.start_bundle()
    assert list(step.finish_bundle()) == []


def test_nothing_is_measured_with_a_table_of_problems(shards: list[Shard]) -> None:
    plan, items = plan_of(CONFIG), items_of(shards)
    table = table_of(plan, items)
    broken = SliceTable(table.specs, table.largest, ("too many", "and other"))
    assert outputs(Measure(plan, None), items[:2], broken) == ([], [])


def test_a_run_with_too_many_slices_has_findings_alone(shards: list[Shard]) -> None:
    plan = plan_of("max_distinct: 2\n" + CONFIG)
    with pipeline() as p:
        evaluated = p | beam.Create([shard_line(shards)]) | Evaluate(plan)
        assert_that(evaluated.partitions, equal_to([]), "partitions")

        def check(found: list[SliceTable]) -> None:
            (table,) = found
            assert len(table.problems) == 2
            assert all("more than 2 distinct" in text for text in table.problems)

        assert_that(evaluated.slices, check, "problems")


@pytest.mark.parametrize("text", [CONFIG, KNOWN])
def test_no_row_is_read_where_shards_do_not_agree(
    tmp_path: Path, shards: list[Shard], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        pytest.fail("a row was read")

    monkeypatch.setattr("pipeline.readers.read.read_rows", fail)
    odd = write(tmp_path / "odd.parquet", pa.table({"s": ["1"], "y": [0], "n": [1]}))
    with pipeline() as p:
        lines = p | beam.Create([shard_line(shards), shard_line([odd])])
        evaluated = lines | Evaluate(plan_of(text))
        assert_that(evaluated.partitions, equal_to([]), "partitions")
        problems = [f"1 file has no column 'g': {odd.path}"]
        why = "1 file has another type: heads.h: column 's' is string, and numbers are needed"
        problems.append(f"{why}; store it as numbers, as text is not converted: {odd.path}")
        verdict = InputVerdict(tuple(problems))
        assert_that(evaluated.verdict, equal_to([verdict]), "verdict")
        table = SliceTable((), frozenset(), verdict.problems)
        assert_that(evaluated.slices, equal_to([table]), "table")
        paths = evaluated.findings | beam.FlatMap(lambda part: part[1])
        assert_that(paths, equal_to([odd.path, *(shard.path for shard in shards)]), "findings")


def test_a_shard_that_cannot_be_read_is_a_fact(tmp_path: Path, shards: list[Shard]) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    (broken,) = list_local([str(tmp_path / "broken.parquet")])
    plan = plan_of(CONFIG)
    found = list(PlanItems(plan, 9).process(shard_line([broken])))
    assert [output.tag for output in found] == [FINDINGS, SUMMARIES]
    total = found[0].value[1]
    assert total.shards == {broken}
    assert broken.path in total.failures
    assert found[1].value == (0, InputSummary())
    items = list(PlanItems(plan, 9).process(shard_line(shards)))
    assert [output for output in items if isinstance(output, WorkItem)] == items_of(shards)
    findings = [output.value for output in items if getattr(output, "tag", "") == FINDINGS]
    assert findings == [
        (shard.path, Findings(frozenset([shard]), unverified=frozenset([shard.path])))
        for shard in shards
    ]
    summary = summarize_inputs(shards, names_looked_for(plan), open_local)
    assert items[-1].value == (0, summary)


@pytest.mark.parametrize(
    ("files", "megabytes", "together"),
    # Small files are an item each, and large ones as many as their rows make when decoded.
    [(1, 1, 1), (WORK_BATCHES, 1, 1), (WORK_BATCHES + 1, 1, 2), (10**6, 1, 245), (1000, 1024, 16)],
)
def test_no_more_groups_however_many_items(files: int, megabytes: int, together: int) -> None:
    shard = Shard("a.parquet", megabytes << 20, "parquet")
    assert items_per_batch([shard] * files) == together


def histogram(segment: str, rows: int, cells: int = 64) -> State:
    scores = np.random.default_rng(rows).normal(size=(rows, 1))
    scored = Scored(scores, scores, np.ones((rows, 1)), np.zeros(rows))
    statistic = ScoreHistogram(max_cells=cells)
    keys = [(("g", "string", segment),)] if segment else [()]
    return measure_state(statistic, scored, Segments(np.zeros(rows, np.int64), keys))


def test_every_partition_has_the_shift_of_all_rows() -> None:
    overall, small = histogram("", 3000), histogram("b", 40)
    assert overall.shift > small.shift
    first, second = ("h", 0, "a1", 0), ("h", 0, "a1", 1)
    elements = [(second, encode(small)), (first, encode(overall))]
    # The partition that overall is in says it, whichever other partitions there are.
    shifts = [shift for element in elements for shift in _overall_shift(element)]
    assert shifts == [(("h", 0, "a1"), overall.shift)]
    known = dict(shifts)
    partition, (key, levelled) = _align_shifts(elements[0], known)
    assert key == second
    assert partition == partition_of(StateKey(*second))
    assert levelled == encode(small.coarsened(overall.shift)) != elements[0][1]
    assert _align_shifts(elements[1], known) == (partition_of(StateKey(*first)), elements[1])
    # Another statistic, or that of another head, has nothing to do with it.
    for other in (("h", 0, "b2", 1), ("h", 1, "a1", 1), ("g", 0, "a1", 1)):
        assert _align_shifts((other, elements[0][1]), known)[1] == (other, elements[0][1])


def a_bundle_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has states emitted after each item, as where every bundle has one."""
    plain = Measure.process

    def process(self: Measure, work_batch: WorkBatch, table: SliceTable) -> Iterator[Any]:
        for item in work_batch:
            yield from plain(self, [item], table)
            for element in Measure.finish_bundle(self):
                yield element.value
            self.start_bundle()

    monkeypatch.setattr(Measure, "process", process)


@pytest.mark.parametrize(("bundles", "folds"), [(1, 20), (100, 20), (4, 0)])
def test_states_have_one_shift_though_small_slices_came_in_bundles_of_their_own(
    shards: list[Shard], bundles: int, folds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CONFIG.replace(", {columns: [g, {column: n, edges: [40]}]}", "")
    plan = plan_of(text.replace("max_slices: 1", f"max_slices: 1, folds: {folds}"))
    items = items_of(shards)
    table = table_of(plan, items)
    # The small slices are in the last files, which are finer alone.
    _, alone = outputs(Measure(plan, None), items[1:], table)
    expected = evaluate([shard.path for shard in shards], plan).states
    finer = [k for k, state in alone if decode(state).shift < expected[StateKey(*k)].shift]
    assert any(key[3] > 0 for key in finer)

    def check(found: list[Partition]) -> None:
        states = {
            key: decode(state) for partition in found for key, state in partition.states.items()
        }
        assert states.keys() == expected.keys()
        assert all(same(state, states[key]) for key, state in expected.items())

    a_bundle_an_item(monkeypatch)
    with pipeline() as p:
        evaluated = p | beam.Create([shard_line(shards)]) | Evaluate(plan, bundles=bundles)
        assert_that(evaluated.partitions, check)


def states_of(count: int) -> list[State]:
    return [histogram(name, 5 + place) for place, name in enumerate("xyz" * count)][:count]


@pytest.mark.parametrize("count", [1, 3, FAN_IN, 2 * FAN_IN + 5])
def test_accumulators_merge_to_the_bit(count: int) -> None:
    states, merging = states_of(count), MergeStates()
    accumulators = []
    for part in (states[::2], states[1::2]):
        accumulator = merging.create_accumulator()
        for state in part:
            accumulator = merging.add_input(accumulator, encode(state))
            assert len(accumulator) < FAN_IN
        accumulators.append(merging.compact(accumulator))
        assert len(accumulators[-1]) == min(1, len(part))
    merged = merging.merge_accumulators(accumulators)
    assert merging.extract_output(merged) == encode(merge(states))


def test_accumulators_survive_their_coder() -> None:
    coder = MergeStates().get_accumulator_coder()
    for states in ((), tuple(map(encode, states_of(4)))):
        assert coder.decode(coder.encode(states)) == states


def test_the_runner_merges_them() -> None:
    states = states_of(5)
    with pipeline() as p:
        merged = p | beam.Create([("k", encode(state)) for state in states])
        found = merged | beam.CombinePerKey(MergeStates()) | beam.Values()
        assert_that(found, equal_to([encode(merge(states))]))


class _Most(beam.CombineFn):
    """The most values that were merged in one go, and their sum."""

    def create_accumulator(self) -> list[tuple[int, int]]:
        return []

    def add_input(self, accumulator: list[Any], value: tuple[int, int]) -> list[Any]:
        return [*accumulator, value]

    def merge_accumulators(self, accumulators: Iterable[list[Any]]) -> list[Any]:
        return [value for accumulator in accumulators for value in accumulator]

    def extract_output(self, values: list[tuple[int, int]]) -> tuple[int, int]:
        most = max([len(values), *(most for most, _ in values)])
        return most, sum(total for _, total in values)


@pytest.mark.parametrize("count", [1, 16, 17, 100, 1000])
def test_a_tree_merges_few_values_at_a_time(count: int) -> None:
    widths = tree_widths(count, 1 << 20)
    with pipeline() as p:
        values = [("k", (0, 1 << place % 30)) for place in range(count)] + [("other", (0, 5))]
        # Without the combiner's lifting, so that every value arrives at the merge.
        spread = p | beam.Create(values) | beam.Reshuffle()
        found = spread | MergeInTree(_Most(), widths)

        def check(merged: list[tuple[str, tuple[int, int]]]) -> None:
            sums = {key: total for key, (_, total) in merged}
            assert sums == {"k": sum(1 << place % 30 for place in range(count)), "other": 5}
            # Groups at random: 8 on average.
            assert dict(merged)["k"][0] <= max(16, 3 * 8)

        assert_that(found, check)


@law
@given(st.integers(1, 10**5), st.integers(1, 64 << 20))
def test_no_step_of_a_tree_has_many_values_for_a_key(bundles: int, size: int) -> None:
    widths = tree_widths(bundles, size)
    steps = [bundles, *widths, 1]
    assert all(before / after <= 16 for before, after in pairwise(steps))
    # On average, what meets in one place is bounded; two must, to merge at all.
    assert all(b / a * size <= 32 << 20 or b / a <= 4 for b, a in pairwise(steps))
    assert len(widths) <= math.log2(bundles) + 1


class _Collections(PipelineVisitor):
    """The collections that steps produce, by the name of the step."""

    def __init__(self) -> None:
        self.found: dict[str, beam.PCollection[Any]] = {}

    def visit_transform(self, node: AppliedPTransform) -> None:
        for tag, out in node.outputs.items():
            if tag not in (FINDINGS, SUMMARIES):
                self.found[node.full_label.removeprefix("Evaluate/")] = out


def test_states_and_their_keys_are_not_pickled(shards: list[Shard]) -> None:
    # A key that is pickled need not be the same bytes each time, and runners group by its bytes.
    steps = _Collections()
    p = pipeline()
    _ = p | beam.Create([shard_line(shards)]) | Evaluate(plan_of(CONFIG), bundles=100)
    p.visit(steps)
    tree = ["Among13", "MergeIn13/GroupByKey", "From13", "Merge/GroupByKey"]
    states = ["Measure/ParDo(Measure)", *(f"MergeStates/{step}" for step in tree)]
    for step in [*states, "AlignShifts", "Partitions"]:
        coder = registry.get_coder(steps.found[step].element_type)
        assert coder.is_deterministic(), step
    others = [f"{of}/{step}" for of in ("Slices/AddCounts", "FindingsOfFiles") for step in tree]
    for step in [*others, "AllSummaries/GroupByKey"]:
        key, _ = steps.found[step].element_type.tuple_types
        assert registry.get_coder(key).is_deterministic(), step
