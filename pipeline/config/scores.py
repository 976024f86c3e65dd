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
        wrong = []
        if "logits" in info.data and (info.data["logits"] is None) == (value is None):
            if value is None:
                keys = ("logits", "probability")
                wrong = [refusal("key 'logits' or 'probability' is missing; give one", (), keys)]
            else:
                wrong = [refusal("give 'logits' or 'probability', not both")]
        return together(value, handler, wrong)


class BinaryBaseline(ScoresModel):
    """The scores of a second model, of the same rows, that the head's own are compared with."""

    logits: BinaryLogit = None
    probability: BinaryProbability = None


class ClassBaseline(ScoresModel):
    """The scores of a second model, of the same rows, that the head's own are compared with."""

    logits: ClassLogits = None
    probability: ClassProbabilities = None
