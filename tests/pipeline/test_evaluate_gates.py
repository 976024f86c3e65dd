"""Gates change nothing of what is measured, and no byte of the report."""

from __future__ import annotations

from pipeline.config.load import parse_config
from pipeline.evaluate import Evaluation, evaluate
from pipeline.report.data_json import Files
from pipeline.runs.outputs import run_files
from tests.pipeline.tables import assert_equal, binary_table, plan_of

TEXT = """
slices: [g]
heads:
  h: {type: binary, logits: s, label: y, metrics: [average_loss, roc_auc]}
"""
GATES = """
gates:
  - {metric: roc_auc, at_least: 0.99}
  - {metric: average_loss, max_rise: 0, against: run, slices: [g]}
"""


def files_of(evaluation: Evaluation) -> dict[str, bytes]:
    parts = [Files.of(evaluation.findings)]
    return dict(
        run_files(evaluation.plan, (), evaluation.table, evaluation.partitions(), parts, "id")
    )


def test_a_report_is_the_same_with_and_without_gates() -> None:
    assert len(parse_config(TEXT + GATES, "c.yaml").gates) == 2
    rows = binary_table(300, 3)
    gated, plain = (evaluate(rows, plan_of(text)) for text in (TEXT + GATES, TEXT))
    assert_equal(gated, plain)
    assert gated.plan.partitions(gated.table) == plain.plan.partitions(plain.table)
    with_gates, without = files_of(gated), files_of(plain)
    assert with_gates["report.json"] == without["report.json"]
    assert with_gates["states.zip"] == without["states.zip"]
