"""The configuration of scores: where the scores of a model and of a second model are."""

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from pipeline.config.fields import Model, Text, as_mapping, refusal, together

ONE_SCORE = "Give either `logits` or `probability`."


class Score(Model):
    """Where the score of a binary head is. The name of the column alone is the short form."""

    column: Text = Field(description="The column, of numbers or, with `index`, of lists.")
    index: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Where in the lists the positive class is, from 0."
    )


class ScoreList(Model):
    """Where the scores of several classes are. The name of the column alone is the short form."""

    column: Text = Field(description="The column, of lists with one number a class.")


BINARY_SCORE = BeforeValidator(as_mapping, json_schema_input_type=Text | Score)
CLASS_SCORES = BeforeValidator(as_mapping, json_schema_input_type=Text | ScoreList)

ClassLogits = Annotated[
    Annotated[ScoreList, CLASS_SCORES] | None,
    Field(description=f"Where the logits of the classes are. {ONE_SCORE}"),
]
ClassProbabilities = Annotated[
    Annotated[ScoreList, CLASS_SCORES] | None,
    Field(
        validate_default=True,
        description=f"Where the probabilities of the classes are, used as they are. {ONE_SCORE}",
    ),
]
BinaryLogit = Annotated[
    Annotated[Score, BINARY_SCORE] | None,
    Field(description=f"Where the logit is. {ONE_SCORE}"),
]
BinaryProbability = Annotated[
    Annotated[Score, BINARY_SCORE] | None,
    Field(
        validate_default=True,
        description=f"Where the probability of the positive class is, used as it is. {ONE_SCORE}",
    ),
]


def one_of(
    value: Any,
    handler: ValidatorFunctionWrapHandler,
    info: ValidationInfo,
    keys: tuple[str, str],
) -> Any:
    """Returns the value of a key, after checking that it or `logits` is given, and not both.

    Args:
        value: what is given.
        handler: what checks the value itself.
        info: what was found of the keys before it.
        keys: both keys, in the order in which messages name them.

    Raises:
        ValueError: if both are given, or none.
    """
    wrong = []
    if "logits" in info.data and (info.data["logits"] is None) == (value is None):
        first, second = keys
        if value is None:
            what = f"key '{first}' or '{second}' is missing; give one"
            wrong = [refusal(what, (), tuple(sorted(keys)))]
        else:
            wrong = [refusal(f"give '{first}' or '{second}', not both")]
    return together(value, handler, wrong)


class ScoresModel(Model):
    """The base class of models of scores, which are either logits or probabilities."""

    @property
    def source(self) -> Score | ScoreList:
        """Where the scores are."""
        source: Score | ScoreList | None = getattr(self, "logits") or getattr(  # noqa: B009
            self, "probability"
        )
        assert source is not None
        return source

    @field_validator("probability", mode="wrap", check_fields=False)
    @classmethod
    def _one_score(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        return one_of(value, handler, info, ("logits", "probability"))


class BinaryBaseline(ScoresModel):
    """The scores of a second model, of the same rows, that the head's own are compared with."""

    logits: BinaryLogit = None
    probability: BinaryProbability = None


class ClassBaseline(ScoresModel):
    """The scores of a second model, of the same rows, that the head's own are compared with."""

    logits: ClassLogits = None
    probability: ClassProbabilities = None
