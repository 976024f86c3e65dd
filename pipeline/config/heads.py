"""The configuration of the heads: where scores and labels are, and how to read them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import InitErrorDetails

from pipeline.config.fields import (
    BASELINE,
    Key,
    Listed,
    Metrics,
    Model,
    Text,
    Weight,
    Words,
    as_mapping,
    default_names,
    distinct,
    number_key,
    refusal,
    refuse,
    repeated,
    together,
    wrong_length,
)
from pipeline.config.regression import (
    LogisticRegressionHeadConfig,
    PoissonHeadConfig,
    RegressionHeadConfig,
)
from pipeline.config.scores import (
    BinaryBaseline,
    BinaryLogit,
    BinaryProbability,
    ClassBaseline,
    ClassLogits,
    ClassProbabilities,
    ScoresModel,
)
from pipeline.config.thresholds import LogitThresholds, OperatingPoints, Thresholds
from pipeline.errors.problems import describe, quote
from pipeline.errors.suggest import did_you_mean
from pipeline.errors.wording import MOST

MAX_CLASSES = 1_000_000
MAX_CLASS_METRICS = 50
"""A head of at most so many classes has metrics of every class, if `class_metrics` is not given."""


class BinaryLabel(Model):
    """Where the label of a binary head is. The name of the column alone is the short form."""

    column: Text = Field(description="The column, of 0 and 1 or, with `vocabulary`, of words.")
    vocabulary: Words | None = Field(None, description="The two words of the column.")
    positive: Text | None = Field(
        None,
        validate_default=True,
        description="The word that is the positive class. By default the second of `vocabulary`.",
    )

    @field_validator("vocabulary", mode="wrap")
    @classmethod
    def _two_words(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return together(value, handler, wrong_length(value, 2, "words"))

    @field_validator("positive")
    @classmethod
    def _in_vocabulary(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "vocabulary" not in info.data:
            return value
        words = info.data["vocabulary"]
        if value is None:
            return words[1] if words else None
        if words is None:
            refuse(refusal("needs 'vocabulary', the two words of the column"))
        elif value not in words:
            refuse(refusal(f"{quote(value)} is not in 'vocabulary'{did_you_mean(value, words)}"))
        return value


class MultiClassLabel(Model):
    """Where the label of a multi-class head is. The name of the column alone is the short form."""

    column: Text = Field(
        description="The column, of class ids from 0 or, with `vocabulary`, of words."
    )
    vocabulary: Words | None = Field(
        None, description="The words of the column, one a class, in the order of the ids."
    )


class MultiLabelLabel(Model):
    """Where the labels of a multi-label head are, and in which form."""

    column: Text = Field(description="The column, of lists.")
    form: Literal["multi_hot", "ids", "names"] = Field(
        description="What a list holds: `multi_hot` (a 0 or 1 for each class), `ids` (the ids of "
        "the classes that are present, from 0) or `names` (their words)."
    )
    vocabulary: Words | None = Field(
        None,
        validate_default=True,
        description="The words of the classes, in the order of the ids; for the form `names` only.",
    )

    @field_validator("vocabulary")
    @classmethod
    def _for_names(cls, value: Any, info: ValidationInfo) -> Any:
        form = info.data.get("form")
        if form == "names" and value is None:
            refuse(
                refusal(
                    "key 'vocabulary' is missing: the form 'names' needs the words of the classes",
                    missing=("vocabulary",),
                )
            )
        if form in ("multi_hot", "ids") and value is not None:
            refuse(
                refusal(f"not for the form '{form}'; names for the report go into 'class_names'")
            )
        return value


ClassNames = Annotated[
    Words,
    Field(
        validate_default=True,
        description="Names of the classes for the report, in the order of the ids. "
        "By default the words of the label's `vocabulary`, else `class0`, `class1`, ...",
    ),
]


ClassMetrics = Annotated[
    tuple[int, ...],
    Listed,
    Field(
        validate_default=True,
        description="The classes, by id or name, with metrics of their own. "
        f"By default all where there are at most {MAX_CLASS_METRICS}, else none.",
        json_schema_extra={"items": {"type": ["integer", "string"]}, "uniqueItems": True},
    ),
]


TopK = Annotated[
    tuple[int, ...],
    Listed,
    distinct(number_key),
    Field(json_schema_extra={"uniqueItems": True}),
]


def _unset() -> Any:
    """Returns None, the default that a validator replaces."""
    return None


class HeadModel(ScoresModel):
    """The base class of all heads, with the checks that they share."""

    def columns(self) -> set[str]:
        """Returns the names of the columns that are read."""
        sources = (getattr(self, name, None) for name in ("logits", "probability", "label"))
        names = {source.column for source in sources if source is not None}
        weight, baseline = getattr(self, "weight", None), getattr(self, "baseline", None)
        if weight is not None:
            names.add(weight)
        if baseline is not None:
            names.add(baseline.source.column)
        return names

    @field_validator("label", mode="wrap", check_fields=False)
    @classmethod
    def _one_word_a_class(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        if "n_classes" not in info.data:
            return handler(value)
        label = (
            value if isinstance(value, dict) else vars(value) if isinstance(value, Model) else {}
        )
        words, n_classes = label.get("vocabulary"), info.data["n_classes"]
        wrong = wrong_length(words, n_classes, "words, one a class", ("vocabulary",))
        return together(value, handler, wrong)

    @field_validator("class_names", mode="wrap", check_fields=False)
    @classmethod
    def _one_name_a_class(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        n_classes = info.data.get("n_classes")
        if value is not None:
            wrong = (
                [] if n_classes is None else wrong_length(value, n_classes, "names, one a class")
            )
            return together(value, handler, wrong)
        if n_classes is None or "label" not in info.data:
            return ()
        return info.data["label"].vocabulary or default_names(n_classes)

    @field_validator("class_metrics", mode="before", check_fields=False)
    @classmethod
    def _ids_of_classes(cls, value: Any, info: ValidationInfo) -> Any:
        n_classes = info.data.get("n_classes")
        if value is None or n_classes is None:
            return tuple(range(n_classes or 0)) if (n_classes or 0) <= MAX_CLASS_METRICS else ()
        if not isinstance(value, list | tuple):
            return value
        id_of = {name: i for i, name in enumerate(info.data.get("class_names") or ())}
        ids = [_class_id(item, n_classes, id_of) for item in value]
        refusals: list[InitErrorDetails] = []
        for position, wrong in enumerate(ids):
            if isinstance(wrong, str):
                named = isinstance(value[position], str) and len(refusals) < MOST
                hint = did_you_mean(value[position], id_of) if named else ""
                refusals.append(refusal(f"{wrong}{hint}", (position,)))
        refuse(
            *refusals,
            *repeated(ids, _class_key),
        )
        return tuple(item for item in ids if item is not None)


class BinaryFields(HeadModel):
    """The base class of the two binary heads, with their keys."""

    type: str
    logits: BinaryLogit = None
    probability: BinaryProbability = None
    label: Annotated[
        BinaryLabel, BeforeValidator(as_mapping, json_schema_input_type=Text | BinaryLabel)
    ] = Field(description="Where the label is.")
    weight: Weight = None
    baseline: BinaryBaseline | None = Field(None, description=BASELINE)
    thresholds: Thresholds = ()
    logit_thresholds: LogitThresholds = ()
    at: OperatingPoints = Field(
        OperatingPoints.model_validate({}),
        description="Points of the curves to report, as shares from 0 to 1, ends included.",
    )
    metrics: Metrics = None


class BinaryHeadConfig(BinaryFields):
    """Two classes; the figures of `tf.estimator.BinaryClassHead`."""

    type: Literal["binary"] = Field(description="`binary`")


class ContribBinaryHeadConfig(BinaryFields):
    """Two classes; the figures of `tf.contrib.estimator.binary_classification_head` (TF 1)."""

    type: Literal["contrib_binary"] = Field(description="`contrib_binary`")


class MultiClassHeadConfig(HeadModel):
    """One of several classes; the figures of `tf.estimator.MultiClassHead`."""

    type: Literal["multi_class"] = Field(description="`multi_class`")
    n_classes: Annotated[int, Field(gt=2, le=MAX_CLASSES)] = Field(
        description="How many classes there are, more than 2."
    )
    logits: ClassLogits = None
    probability: ClassProbabilities = None
    label: Annotated[
        MultiClassLabel, BeforeValidator(as_mapping, json_schema_input_type=Text | MultiClassLabel)
    ] = Field(description="Where the label is.")
    weight: Weight = None
    baseline: ClassBaseline | None = Field(None, description=BASELINE)
    class_names: ClassNames = Field(default_factory=_unset)
    class_metrics: ClassMetrics = Field(default_factory=_unset)
    thresholds: Annotated[
        Thresholds,
        Field(
            description="Thresholds on the probability, between 0 and 1, ends excluded, for "
            "precision, recall and such rates of all pairs of a row and a class: any class is "
            "predicted whose probability is `>` the threshold."
        ),
    ] = ()
    top_k: Annotated[TopK, Field(validate_default=True)] = Field(
        default_factory=_unset,
        description="The label may be among so many of the highest scores, for top-k accuracy, "
        "precision and recall; each from 2 to the number of classes - 1. By default 3 and 5, where "
        "there are more classes.",
    )
    metrics: Metrics = None

    @field_validator("top_k", mode="before")
    @classmethod
    def _fewer_than_all(cls, value: Any, info: ValidationInfo) -> Any:
        n_classes = info.data.get("n_classes")
        if value is None:
            return tuple(k for k in (3, 5) if k < (n_classes or 0))
        return _fewer_than(value, 2, n_classes)


class MultiLabelHeadConfig(HeadModel):
    """Any number of several classes; the figures of `tf.estimator.MultiLabelHead`."""

    type: Literal["multi_label"] = Field(description="`multi_label`")
    n_classes: Annotated[int, Field(gt=1, le=MAX_CLASSES)] = Field(
        description="How many classes there are, more than 1."
    )
    logits: ClassLogits = None
    probability: ClassProbabilities = None
    label: Annotated[MultiLabelLabel, BeforeValidator(as_mapping)] = Field(
        description="Where the labels are, and in which form."
    )
    weight: Weight = None
    baseline: ClassBaseline | None = Field(None, description=BASELINE)
    thresholds: Thresholds = ()
    logit_thresholds: LogitThresholds = ()
    class_names: ClassNames = Field(default_factory=_unset)
    class_metrics: ClassMetrics = Field(default_factory=_unset)
    top_k: TopK = Field(
        (),
        description="The numbers of the highest scores of a row that top-k precision and recall "
        "take as its predictions; each from 1 to the number of classes - 1.",
    )
    metrics: Metrics = None

    @field_validator("top_k", mode="before")
    @classmethod
    def _fewer_than_all(cls, value: Any, info: ValidationInfo) -> Any:
        return _fewer_than(value, 1, info.data.get("n_classes"))


HeadConfig = Annotated[
    BinaryHeadConfig
    | MultiClassHeadConfig
    | MultiLabelHeadConfig
    | ContribBinaryHeadConfig
    | RegressionHeadConfig
    | PoissonHeadConfig
    | LogisticRegressionHeadConfig,
    Field(discriminator="type"),
]


def refuse_too_many_classes(heads: Any) -> Any:
    """Returns the heads if they have at most `MAX_CLASSES` classes together, and refuses others.

    It looks at values that are not yet checked, for each class would get a name when they are.
    """
    values = heads.values() if isinstance(heads, dict) else ()
    numbers = [head.get("n_classes") for head in values if isinstance(head, dict)]
    classes = sum(number for number in numbers if isinstance(number, int))
    if len(numbers) > 1 and classes > MAX_CLASSES:
        refuse(refusal(f"{classes:,} classes in all; at most {MAX_CLASSES:,} can be evaluated"))
    return heads


def _fewer_than(value: Any, least: int, n_classes: int | None) -> Any:
    """Returns numbers from `least` to one less than the classes, and refuses others."""
    if n_classes is None:
        return ()
    if isinstance(value, list | tuple):
        refuse(
            *(
                refusal(f"expected a number from {least} to {n_classes - 1}", (i,))
                for i, k in enumerate(value)
                if isinstance(k, int) and not least <= k < n_classes
            )
        )
    return value


def _class_key(item: Any) -> Key | None:
    """Returns the key of the id of a class; None for other items."""
    return Key(item, f"class {item}") if isinstance(item, int) else None


def _class_id(item: Any, n_classes: int, id_of: Mapping[str, int]) -> int | str | None:
    """Returns the id of a class that is given by id or name.

    Args:
        item: the id or name.
        n_classes: the number of classes.
        id_of: the ids by name; empty if the names were refused or are not known.

    Returns:
        The id; a message if there is no such class; None for a name that cannot be looked up.
    """
    if isinstance(item, str):
        return id_of.get(item, f"no class is named {quote(item)}") if id_of else None
    if not isinstance(item, int) or isinstance(item, bool):
        return f"expected the id or name of a class, not {describe(item)}"
    if not 0 <= item < n_classes:
        return f"there is no class {item}; ids go from 0 to {n_classes - 1}"
    return item
