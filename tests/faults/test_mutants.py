"""Changed runs are refused, or shown as what they hold, and nothing breaks on them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.report.report_layout import Report, parse_report
from pipeline.report.text.render import render
from tests.faults.mutants import IN_PLACE, execute, fault_of, make_mutant
from tests.faults.mutations import ALL, MUTATIONS, REPORT, Scene
from tests.pipeline.whole_runs import KEYED, config, finish_run, table

HEAD = "binary, logits: {score}, label: y, weight: w, thresholds: [0.3], metrics: [average_loss,"
HEAD += " accuracy, precision, roc_auc, f1], baseline: {{logits: t}}"
CLASSES = (
    "  k: {type: multi_class, n_classes: 3, logits: c, label: k, metrics: [accuracy, f1/macro]}"
)
GATES = "gates: [{metric: roc_auc, at_least: 0.1}, {metric: f1, at_least: 0.01, slices: [g]}]"
MUTANTS = 120


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs of two models on the same rows, and one on others."""
    directory = tmp_path_factory.mktemp("runs")
    found = []
    for number, (score, seed) in enumerate((("s", 3), ("t", 3), ("s", 4))):
        text = config(score, KEYED, "[g]", HEAD)
        text = text.replace("heads: {h:", "heads:\n  h:").removesuffix("}")
        text = f"{text}\n{CLASSES}\n{GATES}\n"
        found.append(finish_run(directory / str(number), text, table(120, seed)))
    return found


def test_mutants(runs: list[Path], tmp_path: Path) -> None:
    wrong = []
    outcomes: Counter[tuple[bool, int | str]] = Counter()
    for number in range(MUTANTS):
        mutant = make_mutant(7, number, runs, tmp_path)
        outcome = execute(mutant)
        outcomes[mutant.sealed, outcome.code] += 1
        fault = fault_of(mutant, outcome)
        if fault is not None:
            wrong.append(f"{number}, {mutant.kind}, {mutant.arguments[0]}: {fault}")
    assert not wrong, "\n".join(wrong)
    assert outcomes[False, 2] > MUTANTS / 3
    assert outcomes[True, 2] > MUTANTS / 5
    # Numbers that somebody changed together with all checksums cannot be told from others.
    assert outcomes[True, 0]


def test_a_report_that_fits_its_layout_is_shown(runs: list[Path]) -> None:
    files = {name: (runs[0] / name).read_bytes() for name in ALL}
    kinds = ("what_the_terminal_shows", "data_of_the_report", "configuration_of_the_report")
    shown = 0
    for number in range(300):
        scene = Scene(np.random.default_rng([3, number]), dict(files), files, "elsewhere")
        MUTATIONS[kinds[number % 3]](scene)
        report = report_in(scene.files[REPORT])
        if report is not None:
            assert render(report.data).encode()
            shown += 1
    assert shown > 30


def report_in(content: bytes) -> Report | None:
    try:
        return parse_report(content)
    except ValueError:
        return None


def test_there_are_mutations_enough() -> None:
    assert len(MUTATIONS) + len(IN_PLACE) >= 40
