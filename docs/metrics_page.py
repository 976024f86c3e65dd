"""Writes docs/metrics.md, the page of all metrics, from the registry: `make docs`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from heads.metrics.core.context import HeadType, MetricContext, OperatingPoints
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import estimator_metrics, pair_metrics, report_metrics
from heads.statistics.cuts import ScoreSpace

HEADS: dict[HeadType, str] = {
    "binary": "`tf.estimator.BinaryClassHead`",
    "multi_class": "`tf.estimator.MultiClassHead`",
    "multi_label": "`tf.estimator.MultiLabelHead`",
    "contrib_binary": "`tf.contrib.estimator.binary_classification_head` of TensorFlow 1",
}

# A number that stands for any threshold; it occurs in no name of a metric by itself.
ANY = 0.4321

_TOP = """<!-- Written by `make docs`; do not edit. -->

# Metrics

What a report holds for each type of head, in every slice. Names are those of the configuration's
`metrics` key. `T` stands for a configured threshold or demand, `CLASS` for the name of a class,
`K` for an entry of `top_k`. Weights are those of the head's `weight` column; without one each row
weighs 1. With one, every metric has beside it, as `unweighted`, what it is if each row weighs 1.
`examples`, beside the metrics, counts rows and is never weighted. *Good* says which direction
comparisons take for better; intervals stay within the *range*.

Metrics marked *e* are the estimator's: `head.metrics()` has them under the same names, with its 0.0
for most of what is undefined, where the report says `null` and why. The report computes loss and
probability in float64 from the stored score; the estimator's areas, `auc` and
`auc_precision_recall`, count at its 200 thresholds as its float32 arithmetic does.

Metrics of every score, such as `roc_auc`, `best_f1` or `gain/decile_1`, are read from a histogram
whose cells are the leading bits of the score: of the largest slices at most 16,384, of the others
512 (heads with metrics by class have limits of their own), and one score a cell, hence exact, where
there are no more scores. `score_rounding` in the
report is the relative width of a cell; such a metric is what the scores rounded down to their cells
give, and `_lower` and `_upper` are certain bounds of what the scores themselves give.
"""


def metrics_page() -> str:
    """Returns docs/metrics.md."""
    return "\n".join([_TOP, *(_section(head) for head in HEADS)])


def _section(head: HeadType) -> str:
    """Returns the section about one type of head."""
    several = head.startswith("multi")
    names = ("CLASS", "b", "c") if several else ("0", "1")
    classes = (0,) if several else ()
    scope = MetricContext(
        head=head,
        class_names=names,
        space=ScoreSpace("logits"),
        thresholds=() if head == "multi_class" else (ANY,),
        named_classes=classes,
        class_suffixes=names[: len(classes)],
        report=True,
        at=OperatingPoints((ANY,), (ANY,), (ANY,), (ANY,)),
        top=(2,),
        baseline=ScoreSpace("logits"),
    )
    # A head has averages over all classes only if all its classes are named.
    all_named = replace(scope, named_classes=(0, 1, 2), class_suffixes=names) if several else scope
    metrics = {
        name: metric
        for name, metric in report_metrics(all_named).items()
        if name.rpartition("/")[2] not in names[1:]
    }
    of_estimator = estimator_metrics(scope)
    lines = [
        f"## `{head}`",
        "",
        f"The figures of {HEADS[head]}.",
        "",
        *_table(metrics, of_estimator),
    ]
    lines += ["", "With a `baseline` also, of both models together:", ""]
    return "\n".join([*lines, *_table(pair_metrics(scope), {})]) + "\n"


def _table(metrics: Mapping[str, Metric], of_estimator: Mapping[str, Metric]) -> list[str]:
    """Returns the lines of a table of metrics, which marks those that the estimator has."""
    lines = ["| metric | | good | range | what it is |", "|---|---|---|---|---|"]
    for name, metric in sorted(metrics.items()):
        mark = "*e*" if name in of_estimator else ""
        good = {True: "high", False: "low", None: ""}[metric.higher_is_better]
        bounds = "" if math.isinf(metric.low) else f"{metric.low:g} to {metric.high:g}"
        shown = name.replace("top_2", "top_K").replace(f"{ANY:g}", "T")
        text = metric.definition.replace(f"{ANY:g}", "T").replace("|", r"\|")
        lines.append(f"| `{shown}` | {mark} | {good} | {bounds} | {text} |")
    return lines


if __name__ == "__main__":
    print(metrics_page(), end="")
