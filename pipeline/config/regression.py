"""The configuration of regression heads: where predictions and labels are."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from pipeline.config.fields import (
    BASELINE,
    Listed,
    Metrics,
    Model,
    Text,
    Weight,
    as_mapping,
    distinct,
    number_key,
    refusal,
    together,
)
from pipeline.config.scores import BINARY_SCORE, Score, one_of

_ONE = "Give either `prediction` or `logits`."

Quantiles = Annotated[
    tuple[Annotated[float, Field(gt=0, lt=1)], ...],
    Listed,
    distinct(number_key),
    Field(json_schema_extra={"uniqueItems": True}),
]
Prediction = Annotated[
    Annotated[Score, BINARY_SCORE] | None,
    Field(
        validate_default=True,
        description=f"Where the prediction is, used as it is. {_ONE}",
    ),
]
Logit = Annotated[
    Annotated[Score, BINARY_SCORE] | None,
    Field(
        description="Where the logit is, of which the prediction is: itself (`regression`), its "
        f"exponential (`poisson`), or its sigmoid (`logistic_regression`). {_ONE}"
    ),
]
Lower = Annotated[
    Text | None,
    Field(
        description="The column of the lower end of an interval that the model predicts for the "
        "label, on the scale of the prediction. Needs `upper`."
    ),
]
Upper = Annotated[
    Text | None,
    Field(validate_default=True, description="The column of its upper end. Needs `lower`."),
]


class RegressionLabel(Model):
    """Where the label of a regression head is. The name of the column alone is the short form."""

    column: Text = Field(description="The column, of numbers.")


class RegressionScores(Model):
    """The base class of what a regression model predicts: a number, and perhaps an interval."""

    @property
    def source(self) -> Score:
        """Where the prediction, or the logit, is."""
        source: Score | None = getattr(self, "logits") or getattr(self, "prediction")  # noqa: B009
        assert source is not None
        return source

    @property
    def interval(self) -> tuple[str, str] | None:
        """The columns of the lower and the upper end of the predicted interval; None for none."""
        lower, upper = getattr(self, "lower", None), getattr(self, "upper", None)
        return None if lower is None or upper is None else (lower, upper)

    def score_columns(self) -> set[str]:
        """Returns the names of the columns that the model predicts."""
        return {self.source.column, *(self.interval or ())}

    @field_validator("prediction", mode="wrap", check_fields=False)
    @classmethod
    def _one_score(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        return one_of(value, handler, info, ("prediction", "logits"))

    @field_validator("upper", mode="wrap", check_fields=False)
    @classmethod
    def _both_ends(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        wrong = []
        if "lower" in info.data and (info.data["lower"] is None) != (value is None):
            missing = "lower" if info.data["lower"] is None else "upper"
            wrong = [
                refusal(f"key '{missing}' is missing: an interval has both ends", (), (missing,))
            ]
        return together(value, handler, wrong)


class RegressionBaseline(RegressionScores):
    """The predictions of a second model, of the same rows, to compare with the head's own."""

    logits: Logit = None
    prediction: Prediction = None
    lower: Lower = None
    upper: Upper = None


class RegressionFields(RegressionScores):
    """The base class of the regression heads, with their keys."""

    type: str
    logits: Logit = None
    prediction: Prediction = None
    label: Annotated[
        RegressionLabel, BeforeValidator(as_mapping, json_schema_input_type=Text | RegressionLabel)
    ] = Field(description="Where the label is.")
    weight: Weight = None
    lower: Lower = None
    upper: Upper = None
    baseline: RegressionBaseline | None = Field(None, description=BASELINE)
    pinball_quantiles: Quantiles = Field(
        (0.5,),
        description="The pinball loss is given at these quantiles, between 0 and 1: that of a "
        "prediction which is meant to be the quantile of the label.",
    )
    error_quantiles: Quantiles = Field(
        (0.1, 0.9),
        description="The quantiles of the error, prediction - label, to report beside its median.",
    )
    metrics: Metrics = None

    def columns(self) -> set[str]:
        """Returns the names of the columns that are read."""
        names = {self.label.column} | self.score_columns()
        if self.weight is not None:
            names.add(self.weight)
        if self.baseline is not None:
            names |= self.baseline.score_columns()
        return names


class RegressionHeadConfig(RegressionFields):
    """Any number; the figures of `tf.estimator.RegressionHead`."""

    type: Literal["regression"] = Field(description="`regression`")


class PoissonHeadConfig(RegressionFields):
    """A count, which is not negative; the figures of `tf.estimator.PoissonRegressionHead`."""

    type: Literal["poisson"] = Field(description="`poisson`")


class LogisticRegressionHeadConfig(RegressionFields):
    """A number from 0 to 1; the figures of `tf.estimator.LogisticRegressionHead`."""

    type: Literal["logistic_regression"] = Field(description="`logistic_regression`")
