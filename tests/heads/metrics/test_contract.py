"""What metrics of plugins must keep to, and the messages for those that do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heads.metrics.core.contract import MetricError, compute_checked, plugin_problems
from heads.metrics.core.plugins import load_plugin
from heads.metrics.core.registry import report_metrics
from heads.statistics import OVERALL, Segments
from heads.statistics.measure import measure_state
from heads.testing.contexts import make_context
from tests.heads.metrics.plugin_sources import GOOD
from tests.heads.metrics.samples import measure, scored

CONTEXT = make_context()
PAIR = replace(CONTEXT, baseline=CONTEXT.space)
RETURN = "return Values(np.sqrt(squares.value), squares.reasons)"
NO_DOCSTRING = GOOD.replace(
    '    """The root of the weighted mean of (probability - label) squared."""\n', ""
)


def problems(text: str, tmp_path: Path, *more: str) -> list[str]:
    """What is wrong with plugins, of a model that has a baseline."""
    plugins = []
    for number, source in enumerate((text, *more)):
        (tmp_path / f"mine{number}.py").write_text(source)
        plugins.append(load_plugin(f"mine{number}", str(tmp_path)))
    context = replace(PAIR, plugins=tuple(plugin.module for plugin in plugins))
    return [f"{plugin.name}: {told}" for plugin, told in plugin_problems(context, plugins)]


def test_a_good_one(tmp_path: Path) -> None:
    assert problems(GOOD, tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("yield RootBrier", "yield 1 / 0; RootBrier", "line 23: ZeroDivisionError: division by z"),
        ("yield RootBrier", "yield 'RootBrier', ", "root_brier yields tuple, which is no Metric"),
        ('"root_brier", context', '"root brier", context', "'root brier' cannot be the name of a"),
        ('"root_brier", context', '"", context', "'' cannot be the name of a metric"),
        ('"root_brier", context', '"brier_score", context', "headcount has a metric of the name"),
        ('"root_brier", context', '"flip_rate", context', "headcount has a metric of the name"),
        ("    yield", "    for _ in range(2): yield", "it offers two metrics of the name 'root_b"),
        ("context.threshold_counts", "'counts'", "its statistic is str: take one of the context"),
        ("    low, high = 0.0, 1.0\n", "", "RootBrier has no bounds: say low and high, with math"),
        ("0.0, 1.0", "1.0, 0.0", "low must be below high, and they are 1.0 and 0.0"),
        ("= False", "= 'no'", "higher_is_better must be True, False or None"),
        (RETURN, "return np.zeros(1)", "compute returns ndarray in place of Values"),
        (RETURN, "return Values(0.0, {})", "the value is float in place of an array"),
        (RETURN, "return Values(np.zeros(7), {})", "the value is float64 [7] in place of float64"),
        (RETURN, "return Values(np.zeros(1, int), {})", "the value is int64 [1] in place of"),
        (RETURN, "return Values(np.zeros(1), {'a': True})", "the reason 'a' is bool in place of"),
        (RETURN, "return Values(np.full(1, np.nan), {})", "not finite where there is no weight"),
        (RETURN, "raise KeyError('a')", "line 18: KeyError: 'a'"),
        ("squared_error", "squared_errors", "line 17: KeyError: 'squared_errors'"),
    ],
)
def test_what_breaks_the_contract(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert old in GOOD
    (found,) = problems(GOOD.replace(old, new), tmp_path)
    assert found.startswith("mine0: ")
    assert told in found
    assert "\n" not in found


def test_no_docstring(tmp_path: Path) -> None:
    (found,) = problems(NO_DOCSTRING, tmp_path)
    assert "metric 'root_brier': RootBrier has no docstring" in found


def test_a_class_that_workers_cannot_find(tmp_path: Path) -> None:
    text = GOOD.replace("yield RootBrier(", "yield type('Mine', (RootBrier,), {'__doc__': 'A.'})(")
    (found,) = problems(text, tmp_path)
    assert "metric 'root_brier': " in found
    assert "Mine" in found


def test_two_plugins_of_one_metric(tmp_path: Path) -> None:
    (found,) = problems(GOOD, tmp_path, GOOD + "# another\n")
    assert found.startswith("mine1: plugin mine0 has a metric of the name 'root_brier'; rename")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "if len(state.keys) > 1: raise ValueError('two\\nlines')",
            "line 17: ValueError: two lines",
        ),
        ("if len(state.keys) > 1: return Values(np.zeros(1), {})", "the value is float64 [1] in p"),
    ],
)
def test_one_that_fails_on_rows_names_the_plugin(text: str, told: str, tmp_path: Path) -> None:
    source = GOOD.replace("        squares =", f"        {text}\n        squares =")
    assert problems(source, tmp_path) == []
    plugin = load_plugin("mine0", str(tmp_path))
    metric = report_metrics(replace(CONTEXT, plugins=(plugin.module,)))["root_brier"]
    segments = Segments(np.array([0, 1]), [OVERALL, (("a", "int", 1),)])
    state = measure_state(metric.statistic, scored([0.5, 1.0], [0, 1]), segments)
    with pytest.raises(MetricError) as error:
        compute_checked(metric, state)
    assert str(error.value).startswith("plugin mine0: metric 'root_brier': ")
    assert told in str(error.value)


def test_a_metric_of_headcount_raises_what_it_raises() -> None:
    metric = report_metrics(CONTEXT)["brier_score"]
    other = measure(report_metrics(CONTEXT)["roc_auc"].statistic, scored([0.5], [1]))
    with pytest.raises(KeyError):
        compute_checked(metric, other)
