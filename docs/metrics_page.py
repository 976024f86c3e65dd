"""Writes docs/metrics.md, the page of all metrics, from the registry: `make docs`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from heads.metrics.core.context import HeadType, MetricContext, OperatingPoints, RegressionType
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import estimator_metrics, pair_metrics, report_metrics
from heads.statistics.cuts import ScoreSpace

HEADS: dict[HeadType, str] = {
    "binary": "`tf.estimator.BinaryClassHead`",
    "multi_class": "`tf.estimator.MultiClassHead`",
    "multi_label": "`tf.estimator.MultiLabelHead`",
    "contrib_binary": "`tf.contrib.estimator.binary_classification_head` of TensorFlow 1",
    "regression": "`tf.estimator.RegressionHead`",
    "poisson": "`tf.estimator.PoissonRegressionHead`",
    "logistic_regression": "`tf.estimator.LogisticRegressionHead`",
}

# A number that stands for any threshold; it occurs in no name of a metric by itself.
ANY = 0.4321

_TOP = """<!-- Written by `make docs`; do not edit. -->

# Metrics

What a report holds for each type of head, in every slice. Names are those of the configuration's
`metrics` key. `T` stands for a configured threshold or demand, `CLASS` for the name of a class
(`class0`, `class1`, ... where classes have none),
`K` for an entry of `top_k`; of a regression head `T` stands for an entry of `pinball_quantiles` or
`error_quantiles`, and those at `lower` and `upper` are there if a model predicts an interval. A
probability `>` a threshold is predicted positive, at configured
thresholds and at those that a report finds. Whatever is given at `positive_threshold_T` is given at
`positive_logit_threshold_T` too, for each of `logit_thresholds`, which exclusive classes do not
have. Of heads of several classes, metrics at a threshold whose names do not end with a class, and
`roc_auc` and `average_precision`, are of all pairs of a row and a class together, which is their
micro average. Weights are those of the head's `weight` column; without one each row weighs 1. With
one, every metric has beside it, as `unweighted`, what it is if each row weighs 1. `examples`,
beside the metrics, counts rows and is never weighted. *Good* says which direction comparisons take
for better; intervals stay within the *range*.

Metrics marked *e* are the estimator's: `head.metrics()` has them under the same names, with its 0.0
for most of what is undefined, where the report says `null` and why. The report computes loss and
probability in float64 from the stored score; the estimator's areas, `auc` and
`auc_precision_recall`, count at its 200 thresholds as its float32 arithmetic does.
[The estimator's digits](#the-estimators-digits) says where the figures differ.

Metrics of every score, such as `roc_auc`, `best_f1` or `gain/decile_1`, are read from a histogram
whose cells are the leading bits of the score, and of a probability above one half those of its
distance to 1: of the largest slices at most 16,384, of the others 512 (heads with metrics by class
have limits of their own), and one score a cell, hence exact, where there are no more scores. A
slice with at most as many distinct scores as the others have cells is exact whatever other slices
hold.
Otherwise such a metric is what the scores rounded down to their cells give. `score_rounding` in the
report is the relative width of a cell, and `rounded`, beside the value, holds two certain bounds,
between which is what the scores themselves give.
"""

DIFFERENCES = {
    "`auc`, `auc_precision_recall`, `auc/CLASS`, `auc_precision_recall/CLASS`, `label/mean`, "
    "`accuracy_baseline`; `accuracy` of `multi_class`": "in no digit",
    "`accuracy`, `precision`, `recall` of the binary heads": "in no digit; with weights that are "
    "not whole numbers by up to 1e-14, for their sums may be added in another order",
    "`accuracy/positive_threshold_T`, `precision/positive_threshold_T`, "
    "`recall/positive_threshold_T`": "likewise; and visibly, where a logit is within "
    "`1.2e-7 / (1 - T)` of that of T, which float32 may not tell it from",
    "`prediction/mean`, `probability_mean/CLASS`": "by up to 5e-8",
    "`average_loss`": "by up to 2.4e-7 times the mean of loss + largest absolute logit of a row",
    "`average_loss`, `prediction/mean` of the regression heads": "as float32 rounds: by about 1e-7 "
    "times the largest of the logits, predictions and labels of a row, or of their squares",
}
"""By the estimator's metrics: how the report's may differ, where float32 holds all that is read."""

_DIGITS = """## The estimator's digits

`head.update_metrics` rounds logits, weights and labels to float32 and counts by float32
probabilities, as TensorFlow does; the report reads what is stored and computes in float64. Where
float32 holds all that is stored, a head of the same arguments, and with the same classes named,
differs from the report so:

| metrics | differ |
|---|---|
{rows}

Three rows have the logits -1, 1e-9 and 1 and the labels 0, 1 and 1. In the report their
`accuracy/positive_threshold_0.5` is 1, for the probability of 1e-9 is above 0.5; of the estimator
it is 2/3, for to float32 that is 0.5. `accuracy`, which asks whether the logit is above 0, is 1 of
both. At 0.5, logits above 0 and up to 2^-23 (1.2e-7) are predicted positive by the report alone.
Accuracy of `contrib_binary` asks for `p >= T`: there, logits below 0 and down to -2^-24 are
predicted positive by the estimator alone. A T below 1e-37 or above 0.9999999 is near to more
logits.

More differs where what is stored is

- a logit that float32 rounds: at thresholds, another `6e-8 * |logit|` counts as near. `accuracy` of
  `multi_class`, where rounding makes the two highest logits equal, at most 1.2e-7 of their size
  apart: the estimator then predicts the lower class id.
- a weight that float32 rounds: all that is weighted, by up to 2.4e-7 of its value.
- a soft label that float32 rounds: `label/mean` and `accuracy_baseline`, by up to 3e-8. A label
  above 0.99999998 is 1 to the estimator, so that a prediction may equal it.
- the estimator's probability, a float32, in place of its logit:
  - `prediction/mean` and `probability_mean/CLASS` then differ in no digit;
  - at thresholds only a probability counts as near that is what float32 makes of T, where it does
    not hold T itself, such as 0.3;
  - `accuracy`, `precision` and `recall` of the binary heads: the report predicts class 0 for logits
    above 0 and up to 2^-23, whose probability is 0.5;
  - `accuracy` of `multi_class`: the probabilities of classes may be equal whose logits are up to
    1.2e-7 apart, and the report then predicts the lower class id;
  - `average_loss`: near 1 a probability has fewer digits than its logit. For a label of 0 the loss
    is off by up to 7e-4 at a logit of 10, and infinite, hence `null`, from 17.33 on, where the
    probability is 1; so it is where that of a label is 0.
- any of these below 1e-37, where float32 has fewer digits and, from 7e-46 down, only 0; or above
  3.403e38, which is infinite to it, and may make a metric NaN.
"""


def metrics_page() -> str:
    """Returns docs/metrics.md."""
    rows = "\n".join(f"| {metrics} | {how} |" for metrics, how in DIFFERENCES.items())
    return "\n".join([_TOP, _DIGITS.format(rows=rows), *(_section(head) for head in HEADS)])


def _section(head: HeadType) -> str:
    """Returns the section about one type of head."""
    several = head.startswith("multi")
    number = head in get_args(RegressionType)
    names = ("CLASS", "b", "c") if several else () if number else ("0", "1")
    classes = (0,) if several else ()
    context = MetricContext(
        head=head,
        class_names=names,
        space=ScoreSpace("logits"),
        thresholds=() if number else (ANY,),
        named_classes=classes,
        class_suffixes=names[: len(classes)],
        report=True,
        at=OperatingPoints((ANY,), (ANY,), (ANY,), (ANY,), (ANY,)),
        top=(2,),
        baseline=ScoreSpace("logits"),
        pinball=(ANY,),
        error_quantiles=(ANY,),
        interval=True,
    )
    # A head has averages over all classes only if all its classes are named.
    all_named = (
        replace(context, named_classes=(0, 1, 2), class_suffixes=names) if several else context
    )
    metrics = {
        name: metric
        for name, metric in report_metrics(all_named).items()
        if name.rpartition("/")[2] not in names[1:]
    }
    of_estimator = estimator_metrics(context)
    lines = [
        f"## `{head}`",
        "",
        f"The figures of {HEADS[head]}.",
        "",
        *_table(metrics, of_estimator),
    ]
    pairs = pair_metrics(context)
    if pairs:
        lines += ["", "With a `baseline` also, of both models together:", "", *_table(pairs, {})]
    return "\n".join(lines) + "\n"


def _table(metrics: Mapping[str, Metric], of_estimator: Mapping[str, Metric]) -> list[str]:
    """Returns the lines of a table of metrics, which marks those that the estimator has."""
    lines = ["| metric | | good | range | what it is |", "|---|---|---|---|---|"]
    for name, metric in sorted(metrics.items()):
        mark = "*e*" if name in of_estimator else ""
        good = {True: "high", False: "low", None: ""}[metric.higher_is_better]
        bounds = f"{metric.low:g} to {metric.high:g}"
        if math.isinf(metric.low):
            bounds = "" if math.isinf(metric.high) else f"up to {metric.high:g}"
        shown = name.replace("top_2", "top_K").replace(f"{ANY:g}", "T")
        text = metric.definition.replace(f"{ANY:g}", "T").replace("|", r"\|")
        lines.append(f"| `{shown}` | {mark} | {good} | {bounds} | {text} |")
    return lines


if __name__ == "__main__":
    print(metrics_page(), end="")
