"""The page of all metrics, made from the registry: `python -m pipeline.report.metrics_page`."""

from __future__ import annotations

from heads.metrics.base import HeadType, Scope
from heads.metrics.registry import estimator_metrics, report_metrics
from heads.statistics.cuts import ScoreSpace

HEADS: dict[HeadType, str] = {
    "binary": "`tf.estimator.BinaryClassHead`",
    "multi_class": "`tf.estimator.MultiClassHead`",
    "multi_label": "`tf.estimator.MultiLabelHead`",
    "contrib_binary": "`tf.contrib.estimator.binary_classification_head` of TensorFlow 1",
}

_TOP = """<!-- Written by `make docs`; do not edit. -->

# Metrics

What a report holds for each type of head, in every slice. Names are those of the configuration's
`metrics` key. `T` stands for a configured threshold, `CLASS` for the name of a class. Weights are
those of the head's `weight` column; without one each row weighs 1. `examples`, beside the metrics,
counts rows and is never weighted.

Metrics marked *e* are the estimator's: `head.metrics()` has them under the same names, with its 0.0
for most of what is undefined, where the report says `null` and why. The report computes loss and
probability in float64 from the stored score; the estimator's areas, `auc` and
`auc_precision_recall`, count at its 200 thresholds as its float32 arithmetic does.
"""


def metrics_page() -> str:
    """The page in Markdown."""
    return "\n".join([_TOP, *(_section(head) for head in HEADS)])


def _section(head: HeadType) -> str:
    names = ("CLASS", "b", "c") if head.startswith("multi") else ("0", "1")
    classes = (0,) if head == "multi_label" else ()
    scope = Scope(
        head=head,
        class_names=names,
        space=ScoreSpace("logits"),
        thresholds=(0.5,),
        named_classes=classes,
        class_suffixes=names[: len(classes)],
    )
    own = estimator_metrics(scope)
    lines = [f"## `{head}`", "", f"The figures of {HEADS[head]}.", "", "| metric | | what it is |"]
    lines.append("|---|---|---|")
    for name, metric in sorted(report_metrics(scope).items()):
        mark = "*e*" if name in own else ""
        lines.append(f"| `{name.replace('0.5', 'T')}` | {mark} | {metric.definition} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(metrics_page(), end="")
