"""Writes docs/config.md from the models of the configuration: `make docs`."""

from string import Template

from pydantic import BaseModel

from pipeline.config.gates import Gate
from pipeline.config.heads import (
    BinaryHeadConfig,
    BinaryLabel,
    ContribBinaryHeadConfig,
    MultiClassHeadConfig,
    MultiClassLabel,
    MultiLabelHeadConfig,
    MultiLabelLabel,
)
from pipeline.config.load import parse_config
from pipeline.config.model import Config, Where
from pipeline.config.regression import (
    LogisticRegressionHeadConfig,
    PoissonHeadConfig,
    RegressionBaseline,
    RegressionHeadConfig,
    RegressionLabel,
)
from pipeline.config.scores import BinaryBaseline, Score, ScoreList
from pipeline.config.slices import Confidence, Slice, SliceColumn
from pipeline.config.thresholds import OperatingPoints
from pipeline.errors.problems import ConfigError

_TABLES = (
    Config,
    Where,
    Slice,
    SliceColumn,
    Confidence,
    Gate,
    BinaryHeadConfig,
    BinaryLabel,
    Score,
    OperatingPoints,
    BinaryBaseline,
    MultiClassHeadConfig,
    MultiClassLabel,
    ScoreList,
    MultiLabelHeadConfig,
    MultiLabelLabel,
    RegressionHeadConfig,
    RegressionLabel,
    RegressionBaseline,
)

_WRONG = """\
slices:
  - colum: size
heads:
  cancer:
    type: binary
    logits: logit
    label: {column: diagnosis, vocabulary: [benign, malignant], positive: malignent}
    thresholds: [0.25, 0.5, 1.0]
    treshold: 0.5
"""

_PAGE = Template("""\
<!-- Written by `make docs`; do not edit. -->

# The configuration

A configuration is one YAML file. It says which files to read, which rows to keep, by which columns
to slice, and which heads evaluate the rows. Ready ones, that run as they are, are in `configs/`.

```yaml
input: configs/data/breast_cancer/parquet/*.parquet
output: out/breast_cancer
where:
  - {column: split, values: [test]}
slices:
  - column: size
heads:
  cancer:
    type: binary
    logits: logit
    label: label
    weight: weight
    thresholds: [0.25, 0.5, 0.75]
```

$Config

Logits and probabilities are declared, never guessed: a head is given one of the two. A probability
is used as it is stored. Several heads in one file are evaluated in one pass over the rows.

`plugins` are modules beside the file, or installed, with [metrics of your own](plugins.md).

`headcount schema` prints the JSON schema of all this, for editors that complete YAML.

## `where`

$Where

Write the values as the column has them: numbers without quotes, and in quotes a text that YAML
would read as a number, as in `values: ["1"]`. `null` keeps the rows whose value is missing.
Whole numbers are compared exactly: 9007199254740993 is not 9007199254740992. In a column of floats
a number stands for the float of that type nearest to it: 0.1 is found in a column of float32. No
row has a value that its column cannot hold, such as 1.5 or 1e300 in a column of integers; but a
list of which no value is of the column's kind, as text for numbers, is an error. All this holds of
the `values` of `slices` too.

```yaml
where:
  - {column: split, values: [test, holdout]}
  - {column: size, values: [large, null]}
heads:
  cancer: {type: binary, logits: logit, label: label}
```

## `slices`

$Slice

The entries of `columns`:

$SliceColumn

An entry is a column, with every value it has; some of its values; buckets of numbers; or a cross:

```yaml
slices:
  - country
  - {column: size, values: [small, large, null]}
  - {column: age, edges: [18, 30, 50]}
  - columns: [country, {column: age, edges: [18, 30]}]
    max_slices: 500
min_slice_size: 30
heads:
  cancer: {type: binary, logits: logit, label: label}
```

The buckets above are `(-inf, 18)`, `[18, 30)`, `[30, 50)` and `[50, inf)`; the infinities are in
the outer ones, and rows with NaN or without a value are slices of their own. A row whose list is
empty has no value. In a cross, a row with lists is in every combination of their values, which are
at most 1,000 a row.

## `confidence`

$Confidence

```yaml
slices: [country]
confidence: {level: 0.9, folds: 50, key: user_id}
heads:
  cancer: {type: binary, logits: logit, label: label}
```

## `gates`

$Gate

```yaml
slices:
  - country
  - {column: age, edges: [18, 30]}
gates:
  - {metric: roc_auc, at_least: 0.80}
  - {metric: roc_auc, at_least: 0.78, decide_by: worst_end, slices: [country]}
  - {metric: average_loss, max_rise: 0.01, against: baseline}
  - {metric: precision, max_drop: 0.05, relative: true, against: run, slice: {age: "[18, 30)"}}
heads:
  click: {type: binary, logits: logit, label: label, baseline: {logits: old_logit}}
```

Gates may be in a file of their own, for `--gates`: a mapping with the key `gates`, or the list
alone. They change no result and no byte of `report.json`. A gate on what the configuration does not
measure is an error: a metric or a head that there is not, a slice that no entry of `slices` has, a
limit that the metric cannot reach, an interval where there are none.

## `type: binary`

$BinaryHeadConfig_doc

$BinaryHeadConfig

The `label`:

$BinaryLabel

The `logits` or the `probability`:

$Score

The points of the curves, `at`:

$OperatingPoints

A second model, `baseline`, is compared with the head's own: every metric of both, their difference
over the same rows, how often their predictions differ, and the slices that got worse.

$BinaryBaseline

```yaml
slices: [country]
heads:
  cancer:
    type: binary
    logits: new_logit
    label: label
    baseline: {logits: old_logit}
    thresholds: [0.25, 0.5]
    logit_thresholds: [-2, 1.5]
    at: {recall: [0.8, 0.95, 1], precision: []}
```

A probability `>` a threshold, or a logit `>` a logit threshold, is predicted positive; thresholds
that a report finds are meant so too, and can be configured as they are. Scores are compared as they
are stored: 0.3 as float32 is 0.300000012, which is above 0.3, and 0.7 is 0.699999988, which is not
above 0.7. [The report](report.md#thresholds) says more.

Labels that are words, and the second number of a list as the probability:

```yaml
heads:
  cancer:
    type: binary
    probability: {column: probabilities, index: 1}
    label: {column: diagnosis, vocabulary: [benign, malignant], positive: malignant}
```

## `type: contrib_binary`

$ContribBinaryHeadConfig_doc Its keys are those of `binary`.
At thresholds, its accuracy counts `>=` and all else `>`, as that head does.

```yaml
heads:
  cancer:
    type: contrib_binary
    logits: logit
    label: label
    thresholds: [0.5]
```

## `type: multi_class`

$MultiClassHeadConfig_doc

$MultiClassHeadConfig

The `label`:

$MultiClassLabel

The `logits` or the `probability`:

$ScoreList

```yaml
heads:
  digits:
    type: multi_class
    n_classes: 10
    logits: logits
    baseline: {logits: old_logits}
    label:
      column: name
      vocabulary: [zero, one, two, three, four, five, six, seven, eight, nine]
    top_k: [2, 3]
```

## `type: multi_label`

$MultiLabelHeadConfig_doc

$MultiLabelHeadConfig

The `label`, which has no short form, as its form is to be said:

$MultiLabelLabel

The `logits` or the `probability` are as for `multi_class`.

```yaml
heads:
  attributes:
    type: multi_label
    n_classes: 4
    logits: logits
    label: {column: labels, form: multi_hot}
    class_names: [male, high_bmi, high_blood_pressure, fast_progression]
    class_metrics: [high_bmi, fast_progression]
```

## `type: regression`

$RegressionHeadConfig_doc

$RegressionHeadConfig

The `label`:

$RegressionLabel

The `prediction` or the `logits` are columns as the `logits` of `binary`. The `baseline` has one of
them as well, and may have an interval:

$RegressionBaseline

```yaml
heads:
  price:
    type: regression
    prediction: predicted_price
    label: price
    weight: weight
    lower: price_5
    upper: price_95
    baseline: {prediction: old_price}
    pinball_quantiles: [0.5]
    error_quantiles: [0.05, 0.95]
```

## `type: poisson`

$PoissonHeadConfig_doc Its keys are those of `regression`. Labels
and predictions must not be negative.

```yaml
heads:
  visits:
    type: poisson
    logits: log_visits
    label: visits
```

## `type: logistic_regression`

$LogisticRegressionHeadConfig_doc Its keys are those
of `regression`. Labels and predictions must be from 0 to 1; the report has the metrics of
regression on the probability, and the loss.

```yaml
heads:
  share:
    type: logistic_regression
    logits: logit
    label: share
```

## Errors

All that is wrong is told at once, a line a problem, with its place; the exit code is 2. Of more
than 20 problems, the first are told and the others counted.

```
$errors
```

## The YAML that is read

One document of YAML 1.2, of at most 1 MiB of UTF-8, 250,000 keys and values, and 32 levels. Only
`true` and `false` are booleans (also `True`, `TRUE`, `False`, `FALSE`): `no` and `on` are text, and
an error where a boolean is expected. `1e-3` is a number, `012` is twelve, and dates and `1:30` are
text. Aliases, anchors, tags, the directives `%YAML` and
`%TAG`, keys that are not text and a key given twice are errors. A text that begins with `*`, such
as the glob `"*.parquet"`, needs quotes.
""")


def config_page() -> str:
    """Returns docs/config.md: the keys of every model, and the errors that a wrong file gets."""
    parts = {model.__name__: _table(model) for model in _TABLES}
    heads = (
        BinaryHeadConfig,
        ContribBinaryHeadConfig,
        MultiClassHeadConfig,
        MultiLabelHeadConfig,
        RegressionHeadConfig,
        PoissonHeadConfig,
        LogisticRegressionHeadConfig,
    )
    parts |= {f"{head.__name__}_doc": str(head.__doc__) for head in heads}
    return _PAGE.substitute(parts, errors=_error_of(_WRONG))


def _table(model: type[BaseModel]) -> str:
    """Returns a Markdown table of the keys of a model, with their descriptions."""
    rows = ["| key | required | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        required = "yes" if field.is_required() else ""
        rows.append(f"| `{name}` | {required} | {field.description} |")
    return "\n".join(rows)


def _error_of(text: str) -> str:
    """Returns the error message that a wrong configuration gets."""
    try:
        parse_config(text, "wrong.yaml")
    except ConfigError as error:
        return str(error)
    raise AssertionError("the example of a wrong configuration is right")


if __name__ == "__main__":
    print(config_page(), end="")
