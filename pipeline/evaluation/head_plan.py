"""The plan of a head: the head itself, and what is measured and computed of its models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from heads import (
    BinaryClassHead,
    LogisticRegressionHead,
    MultiClassHead,
    MultiLabelHead,
    PoissonRegressionHead,
    RegressionHead,
    binary_classification_head,
)
from heads.base import BaseHead
from heads.metrics.core.context import MAX_MATRIX_CLASSES, MetricContext, OperatingPoints
from heads.metrics.core.contract import plugin_problems
from heads.metrics.core.metric import Metric
from heads.metrics.core.plugins import Plugin
from heads.metrics.core.registry import ambiguous_names, pair_metrics, report_metrics
from heads.statistics import RowSums, Statistic
from heads.statistics.cuts import ScoreKind, ScoreSpace
from pipeline.config.fields import default_names
from pipeline.config.heads import BinaryFields, HeadConfig, MultiClassHeadConfig
from pipeline.config.regression import RegressionBaseline, RegressionFields
from pipeline.config.scores import BinaryBaseline, ClassBaseline
from pipeline.config.slices import Confidence
from pipeline.errors.metric_names import metric_hint
from pipeline.errors.problems import ConfigError, Problem, quote
from pipeline.errors.wording import MOST

CANDIDATE, BASELINE = 0, 1
"""The positions of the models of a head; an only model is at `CANDIDATE`."""


@dataclass(frozen=True)
class ModelPlan:
    """The plan of one model of a head: of its only model, of the candidate or of the baseline.

    Attributes:
        context: what the metrics of the model depend on.
        metrics: the metrics of the report, by name.
    """

    context: MetricContext
    metrics: dict[str, Metric]


class ModelStatistic(NamedTuple):
    """A statistic, and the model of a head that it is measured for.

    Attributes:
        model: the position of the model, `CANDIDATE` or `BASELINE`.
        statistic: what is measured.
    """

    model: int
    statistic: Statistic


@dataclass(frozen=True)
class HeadPlan:
    """The plan of one head.

    Attributes:
        name: the name of the head in the configuration.
        config: the part of the configuration that describes the head.
        head: the head, which scores the rows of all its models; it follows from `config`.
        models: the plan of the only model; or that of the candidate, then that of the baseline.
        pairs: the metrics of both models together, by name.
        measured: the statistics to measure, without repetition; the first counts the rows of every
            slice.
    """

    name: str
    config: HeadConfig
    head: BaseHead = field(compare=False)
    models: tuple[ModelPlan, ...]
    pairs: dict[str, Metric]
    measured: tuple[ModelStatistic, ...]

    @property
    def context(self) -> MetricContext:
        """Returns what the metrics of the only model, or of the candidate, depend on."""
        return self.models[CANDIDATE].context

    @property
    def counting(self) -> ModelStatistic:
        """Returns the statistic that counts the rows of every slice."""
        return self.measured[0]

    def slice_bytes(self, *, top_slice: bool, rows: int | None = None) -> list[int]:
        """Returns about how many bytes the states of one slice take, one number per state.

        Args:
            top_slice: whether the slice is among the largest.
            rows: how many rows the slice has, or None if that is not known.
        """
        return [
            row_bytes * (most if rows is None else min(most, rows))
            for row_bytes, most in self.table_rows(top_slice=top_slice)
        ]

    def table_rows(self, *, top_slice: bool) -> list[tuple[int, int]]:
        """Returns about how many bytes a table row of each state of one slice takes, and how many
        of these rows there are at most.

        Args:
            top_slice: whether the slice is among the largest.
        """
        sizes = []
        for _, statistic in self.measured:
            if statistic.coverage in ("overall", "small_only" if top_slice else "largest_only"):
                continue
            if statistic.coverage == "largest" and not top_slice:
                statistic = statistic.without_folds()
            sizes.append((statistic.row_bytes(), statistic.segment_rows()))
        return sizes


def make_head_plan(
    name: str,
    config: HeadConfig,
    confidence: Confidence,
    problems: list[Problem],
    source: str,
    plugins: Sequence[Plugin] = (),
) -> HeadPlan:
    """Makes the plan of a head.

    Args:
        name: the name of the head in the configuration.
        config: the part of the configuration that describes the head.
        confidence: the folds that the rows are divided into.
        problems: a list that gets what is wrong with the configuration.
        source: the file name of the configuration, for messages.
        plugins: the plugins of the configuration.

    Raises:
        ConfigError: if a plugin breaks the contract.
    """
    head = make_head(config)
    folds = max(1, confidence.folds)
    context = make_context(config, head, folds, clustered=confidence.key is not None)
    context = replace(context, plugins=tuple(plugin.module for plugin in plugins))
    _check_plugins(context, plugins, source)
    contexts = [context]
    if context.baseline is not None:
        contexts.append(_baseline_context(config, context, context.baseline))
    for clash in ambiguous_names(context):
        message = f"the metric '{clash}' would be that of a class and another one; rename the class"
        problems.append(Problem(source, ("heads", name, "class_names"), message))
    pairs = pair_metrics(context)
    known = {**report_metrics(context), **pairs}
    wanted = set(known if config.metrics is None else config.metrics)
    for position, metric_name in enumerate(config.metrics or ()):
        if metric_name not in known:
            hint = (
                metric_hint(metric_name, known, "it has", type(config).model_fields)
                if len(problems) < MOST
                else ""
            )
            path = ("heads", name, "metrics", position)
            message = f"a {config.type} head has no metric {quote(metric_name)}{hint}"
            problems.append(Problem(source, path, message))
    models = tuple(ModelPlan(model, _only(report_metrics(model), wanted)) for model in contexts)
    pairs = _only(pairs, wanted)
    # The statistic that counts the rows of every slice comes first.
    measured = [(CANDIDATE, _counting(context))]
    for number, model in enumerate(models):
        for metric in model.metrics.values():
            measured += ((number, each) for each in metric.measured if each is not None)
        if context.head == "multi_class" and context.columns <= MAX_MATRIX_CLASSES:
            measured.append((number, model.context.confusion_matrix))
    for metric in pairs.values():
        measured += ((CANDIDATE, each) for each in metric.measured if each is not None)
    if folds > 1:
        measured.append((CANDIDATE, identity_statistic(folds)))
    return HeadPlan(name, config, head, models, pairs, _distinct(measured))


def _distinct(measured: Iterable[tuple[int, Statistic]]) -> tuple[ModelStatistic, ...]:
    """Returns statistics of models without repetition."""
    # Most metrics share their statistic, whose hash takes long if it has thousands of cuts.
    objects = {(model, id(statistic)): (model, statistic) for model, statistic in measured}
    return tuple(dict.fromkeys(ModelStatistic(*pair) for pair in objects.values()))


def _check_plugins(context: MetricContext, plugins: Sequence[Plugin], source: str) -> None:
    """Raises ConfigError if the metrics that plugins offer a head break the contract."""
    if broken := [
        Problem(source, ("plugins", plugins.index(plugin)), f"{plugin.name}: {message}")
        for plugin, message in plugin_problems(context, plugins)
    ]:
        raise ConfigError(broken)


def identity_statistic(folds: int) -> Statistic:
    """Returns the statistic that tells, fold by fold, whether two runs saw the same rows."""
    return RowSums(values=("identity",), folds=folds, coverage="overall")


def _baseline_context(
    config: HeadConfig, context: MetricContext, space: ScoreSpace
) -> MetricContext:
    """Returns what the metrics of the baseline depend on, whose scores are in a space."""
    if isinstance(config, RegressionFields):
        assert config.baseline is not None
        context = replace(context, interval=config.baseline.interval is not None)
    return replace(context, space=space, baseline=None)


def _counting(context: MetricContext) -> Statistic:
    if context.regression:
        return context.label_sums
    return context.threshold_counts if context.columns == 1 else context.row_sums


def _only(metrics: Mapping[str, Metric], names: set[str]) -> dict[str, Metric]:
    return {name: metric for name, metric in metrics.items() if name in names}


def make_head(config: HeadConfig) -> BaseHead:
    """Makes the head that a configuration describes, with the names of its classes as vocabulary.

    The head gets labels as numbers: the words of a column are looked up before.
    """
    if isinstance(config, BinaryFields):
        words = config.label.vocabulary or default_names(2)
        if config.label.positive == words[0]:
            words = words[::-1]
        make = binary_classification_head if config.type == "contrib_binary" else BinaryClassHead
        return make(config.weight, config.thresholds, words)
    if isinstance(config, RegressionFields):
        if config.type == "logistic_regression":
            return LogisticRegressionHead(config.weight)
        regression = PoissonRegressionHead if config.type == "poisson" else RegressionHead
        return regression(weight_column=config.weight)
    if isinstance(config, MultiClassHeadConfig):
        return MultiClassHead(config.n_classes, config.weight, config.class_names)
    return MultiLabelHead(
        config.n_classes,
        config.weight,
        config.thresholds,
        config.class_names,
        classes_for_class_based_metrics=config.class_metrics,
    )


def make_context(
    config: HeadConfig, head: BaseHead, folds: int = 1, *, clustered: bool = False
) -> MetricContext:
    """Makes the context that the metrics of the report depend on.

    It is the context of the head, with what only the configuration knows.

    Args:
        config: the configuration of the head.
        head: the head.
        folds: how many folds standard errors are computed from; 1 if none are computed.
        clustered: whether rows are put into folds by a key.
    """
    context = replace(
        head.context,
        space=ScoreSpace(score_kind(config)),
        report=True,
        folds=folds,
        clustered=clustered,
        baseline=None if config.baseline is None else ScoreSpace(score_kind(config.baseline)),
    )
    if isinstance(config, RegressionFields):
        return replace(
            context,
            pinball=config.pinball_quantiles,
            error_quantiles=config.error_quantiles,
            interval=config.interval is not None,
        )
    if not isinstance(config, MultiClassHeadConfig):
        context = replace(context, logit_thresholds=config.logit_thresholds)
    if not isinstance(config, BinaryFields):
        context = replace(context, top=config.top_k)
    if isinstance(config, BinaryFields):
        return replace(context, at=OperatingPoints(**config.at.model_dump()))
    if isinstance(config, MultiClassHeadConfig):
        named = config.class_metrics
        return replace(
            context,
            named_classes=named,
            class_suffixes=tuple(context.class_names[i] for i in named),
            thresholds=config.thresholds,
        )
    return context


def score_kind(
    model: HeadConfig | BinaryBaseline | ClassBaseline | RegressionBaseline,
) -> ScoreKind:
    """Returns whether the stored scores of a model are logits, probabilities or predictions."""
    if model.logits is not None:
        return "logits"
    regression = isinstance(model, RegressionFields | RegressionBaseline)
    return "predictions" if regression else "probabilities"
