"""What holds of the registry and of the estimator's metrics in it."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

from heads.metrics.core.context import HeadType
from heads.metrics.core.registry import estimator_metrics
from heads.statistics import ScoreHistogram
from heads.testing.contexts import make_context


@pytest.mark.slow
def test_the_order_does_not_depend_on_what_is_imported_first() -> None:
    program = """
import importlib, pkgutil, sys
import heads.metrics
names = [f"heads.metrics.{m.name}" for m in pkgutil.iter_modules(heads.metrics.__path__)]
for name in names if sys.argv[1] == "forward" else reversed(names):
    importlib.import_module(name)
from pipeline.config.load import load_config
from pipeline.evaluation.plan import make_plan
plan = make_plan(load_config("configs/binary.yaml"))
for head in plan.heads.values():
    print(*head.measured, *head.models[0].metrics, *head.pairs, sep="\\n")
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program, order], capture_output=True, text=True, check=True
        ).stdout
        for order in ("forward", "backward")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") > 100


def test_the_estimator_has_no_metric_of_a_histogram() -> None:
    for head in get_args(HeadType):
        for metric in estimator_metrics(make_context(head)).values():
            assert not isinstance(metric.statistic, ScoreHistogram)
