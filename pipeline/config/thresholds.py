"""The configuration of thresholds, and of the points of curves whose thresholds are looked for."""

from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.config.fields import Listed, Model, distinct, number_key

_NAMES = "Names of metrics show six digits, and all digits of thresholds that are alike in six."
_UNIQUE = {"uniqueItems": True}

# Adding zero turns -0.0, which would have another name, into 0.0.
_PLAIN_ZERO = AfterValidator(lambda number: number + 0.0)

Thresholds = Annotated[
    tuple[Annotated[float, Field(gt=0, lt=1)], ...],
    Listed,
    distinct(number_key),
    Field(
        description="Thresholds on the probability, between 0 and 1, ends excluded, for accuracy, "
        "precision, recall and the rest at each: a probability `>` the threshold is predicted "
        f"positive, one that equals it is not. {_NAMES}",
        json_schema_extra=_UNIQUE,
    ),
]
LogitThresholds = Annotated[
    tuple[Annotated[float, _PLAIN_ZERO], ...],
    Listed,
    distinct(number_key),
    Field(
        description="The same for thresholds on the logit, any numbers: a logit `>` the threshold "
        "is predicted positive. The logit of a stored probability p is log(p / (1 - p)).",
        json_schema_extra=_UNIQUE,
    ),
]
Shares = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1), _PLAIN_ZERO], ...],
    Listed,
    distinct(number_key),
    Field(json_schema_extra=_UNIQUE),
]


class OperatingPoints(Model):
    """Points of the curves to report. Each list may be empty."""

    recall: Shares = Field((0.9,), description="The precision is given at these recalls.")
    precision: Shares = Field((0.9,), description="The recall is given at these precisions.")
    specificity: Shares = Field(
        (0.95,), description="The sensitivity is given at these specificities."
    )
    false_positive_rate: Shares = Field(
        (0.01,), description="The recall is given at these false positive rates."
    )
    sensitivity: Shares = Field(
        (0.95,), description="The specificity is given at these sensitivities."
    )
