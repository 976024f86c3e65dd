"""The configuration of gates: the limits that a model must keep to be let through."""

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from pipeline.config.fields import (
    Listed,
    Model,
    PlainValue,
    SomeWords,
    Text,
    refusal,
    refuse,
    value_key,
)

MAX_GATES = 1000
"""The largest number of gates."""

LimitName = Literal["at_least", "at_most", "max_drop", "max_rise"]
LIMITS: tuple[LimitName, ...] = get_args(LimitName)
CHANGES: tuple[LimitName, ...] = ("max_drop", "max_rise")
"""The limits of a change from another model."""

_CHANGES_NAMED = "'max_drop' or 'max_rise'"


class Gate(Model):
    """What a metric must keep to, of all rows or in slices. It has one limit at least."""

    metric: Text = Field(
        description="The name of the metric. Without `head`, every head that has it is judged."
    )
    head: Text | None = Field(None, description="Judge this head alone.")
    unweighted: bool = Field(
        False, description="Judge the metric of rows that all weigh 1, of a head with weights."
    )
    at_least: float | None = Field(None, description="The metric must not be lower.")
    at_most: float | None = Field(None, description="The metric must not be higher.")
    max_drop: float | None = Field(
        None, ge=0, description="The metric must not be lower than that of `against` by more."
    )
    max_rise: float | None = Field(
        None,
        ge=0,
        validate_default=True,
        description="The metric must not be higher than that of `against` by more.",
    )
    relative: bool = Field(
        False,
        description="`max_drop` and `max_rise` are shares of the other model's metric: 0.02 is 2 % "
        "of it.",
    )
    against: Literal["baseline", "run"] | None = Field(
        None,
        validate_default=True,
        description="The model that `max_drop` and `max_rise` compare with: `baseline` is the "
        "second model of the head, `run` that of a finished run, given as `--against DIR`.",
    )
    slice: Annotated[dict[Text, PlainValue], Field(min_length=1)] | None = Field(
        None,
        description="Judge one slice, named by the values of its columns: `{country: DE}`, with "
        "`null` for a missing value and `'[18, 30)'` for a bucket. An entry of `slices` must have "
        "just these columns. Without `slice` and `slices`, all rows together are judged.",
    )
    slices: SomeWords | None = Field(
        None,
        description="Judge every slice of the entry of `slices` that has just these columns. Rows "
        "without a value are judged too, the slice `other` is not.",
    )
    decide_by: Literal["value", "worst_end", "best_end"] = Field(
        "value",
        description="What must keep the limit: the value; the worst end of its interval, so that "
        "the model must be shown to be good; or the best end, so that only what is shown to be bad "
        "fails. Over slices, `best_end` is corrected for their number.",
    )
    min_examples: int = Field(
        0,
        ge=0,
        description="Slices of fewer rows are not judged, nor those below `min_slice_size`.",
    )
    severity: Literal["error", "warn"] = Field(
        "error", description="Whether a model that fails is held back, or a warning is all."
    )
    undecided: Literal["fail", "pass"] | None = Field(
        None,
        description="What follows where the metric has no value, or no interval that `decide_by` "
        "asks for. Without it, all rows together fail, and slices are warned of.",
    )

    @property
    def limits(self) -> list[tuple[LimitName, float]]:
        """The limits that are given: the name of each, and its number."""
        given = ((name, getattr(self, name)) for name in LIMITS)
        return [(name, limit) for name, limit in given if limit is not None]

    @property
    def columns(self) -> frozenset[str] | None:
        """The columns of the entry of `slices` that is judged; None for all rows together."""
        if self.slice is None and self.slices is None:
            return None
        return frozenset(self.slices or self.slice or ())

    @property
    def identity(self) -> tuple[object, ...]:
        """A value that is equal for two gates that judge the same."""
        values = (
            None
            if self.slice is None
            else frozenset((column, value_key(value).value) for column, value in self.slice.items())
        )
        others = (
            getattr(self, name) for name in Gate.model_fields if name not in ("slice", "slices")
        )
        return (values, self.slices and frozenset(self.slices), *others)

    def to_dict(self) -> dict[str, Any]:
        """Returns the gate as plain data for JSON, without what is as by default."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @field_validator("at_most")
    @classmethod
    def _in_order(cls, value: float | None, info: ValidationInfo) -> float | None:
        least = info.data.get("at_least")
        if value is not None and least is not None and value < least:
            refuse(refusal(f"must not be less than 'at_least', which is {least:g}, not {value:g}"))
        return value

    @field_validator("max_rise")
    @classmethod
    def _some_limit(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is None and all(info.data.get(name, 0) is None for name in LIMITS[:-1]):
            keys = ", ".join(map(repr, LIMITS[:-1]))
            refuse(refusal(f"a limit is missing; give {keys} or {LIMITS[-1]!r}", (), LIMITS))
        return value

    @field_validator("relative")
    @classmethod
    def _relative_change(cls, value: bool, info: ValidationInfo) -> bool:
        if value and not _has_change(info):
            refuse(refusal(f"is said of {_CHANGES_NAMED}, and neither is given"))
        return value

    @field_validator("against")
    @classmethod
    def _goes_with_change(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and any(info.data.get(name) is not None for name in CHANGES):
            message = f"key 'against' is missing; {_CHANGES_NAMED} needs it: 'baseline' or 'run'"
            refuse(refusal(message, (), ("against",)))
        if value is not None and not _has_change(info):
            refuse(refusal(f"needs {_CHANGES_NAMED}, the change that is allowed"))
        return value

    @field_validator("slices")
    @classmethod
    def _not_both(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("slice") is not None:
            refuse(refusal("give 'slice' or 'slices', not both"))
        return value


def _has_change(info: ValidationInfo) -> bool:
    """Returns whether a limit of a change is given; one that was refused was given."""
    return any(info.data.get(name, 0) is not None for name in CHANGES)


def _distinct_gates(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Returns the gates if all are distinct, and refuses those that repeat an earlier one."""
    first_position: dict[object, int] = {}
    refusals = []
    for position, gate in enumerate(gates):
        first = first_position.setdefault(gate.identity, position)
        if first != position:
            message = f"this gate is given twice (first as [{first}]); keep one"
            refusals.append(refusal(message, (position,)))
    refuse(*refusals)
    return gates


Gates = Annotated[
    tuple[Gate, ...], Listed, Field(max_length=MAX_GATES), AfterValidator(_distinct_gates)
]
SomeGates = Annotated[Gates, Field(min_length=1)]


class GatesFile(Model):
    """A file of gates alone."""

    gates: SomeGates = Field(description="The gates.")
