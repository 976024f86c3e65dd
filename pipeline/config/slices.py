"""The configuration of slices, and of the intervals beside every number."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from pipeline.config.fields import (
    Listed,
    Model,
    PlainValue,
    Text,
    as_mapping,
    column_key,
    distinct,
    refusal,
    refuse,
    repeated,
    together,
    value_key,
)
from pipeline.errors.problems import describe, quote

MAX_ENTRIES = 1000
"""The largest number of entries of `slices`, and of `where`."""
MAX_COLUMNS = 8
"""The largest number of columns that a cross may have."""
MIN_FOLDS = 10
MAX_FOLDS = 100

ONE_SPEC = "Give either `column` or `columns`."


def _number(value: Any) -> Any:
    """Returns the value if it is a finite number, and refuses all others."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(refusal(f"expected a number, not {describe(value)}"))
    if not math.isfinite(value):
        refuse(refusal(f"expected a finite number, not {value}"))
    return value


def _ascending(edges: tuple[int | float, ...]) -> tuple[int | float, ...]:
    """Returns the edges if they are strictly ascending, and refuses them otherwise."""
    refuse(
        *(
            refusal(f"must be greater than {low}, the edge before it, not {high}", (position,))
            for position, (low, high) in enumerate(pairwise(edges), 1)
            if not low < high
        )
    )
    return edges


Values = Annotated[
    Annotated[tuple[PlainValue, ...], Listed, Field(min_length=1), distinct(value_key)] | None,
    Field(
        description="These values alone: text, numbers, true, false, or null for a missing value. "
        "Other rows are in no slice of this entry. Without it, every value."
    ),
]
Number = Annotated[int | float, BeforeValidator(_number)]
Edges = Annotated[
    Annotated[tuple[Number, ...], Listed, Field(min_length=1), AfterValidator(_ascending)] | None,
    Field(
        description="Slice a column of numbers by buckets: below the first of these numbers, from "
        "each up to the next, which is no longer in it, and from the last on."
    ),
]


class SliceColumn(Model):
    """One column of a cross. The name of the column alone is the short form."""

    column: Text = Field(
        description="The column, in the files or in their directories (`site=A/`)."
    )
    values: Values = None
    edges: Edges = None

    @field_validator("edges")
    @classmethod
    def _not_both(cls, value: Any, info: ValidationInfo) -> Any:
        _refuse_both(value, info)
        return value

    @property
    def name(self) -> str:
        """The description of the column, with what it is sliced by, for messages."""
        if self.values is not None:
            return f"{quote(self.column)} with these values"
        if self.edges is not None:
            return f"{quote(self.column)} with these edges"
        return quote(self.column)

    @property
    def identity(self) -> tuple[object, ...]:
        """A value that is equal for two columns whose slices are the same rows.

        The order in which values are listed makes no difference.
        """
        if self.values is None:
            return self.column, None, self.edges
        return self.column, frozenset(value_key(item).value for item in self.values), self.edges


class Slice(Model):
    """Rows that are evaluated apart. The name of a column alone is the short form."""

    column: Text | None = Field(
        None,
        description="The column, in the files or in their directories (`site=A/`). A row with a "
        f"list is in the slice of each of its values. {ONE_SPEC}",
    )
    columns: (
        Annotated[
            tuple[
                Annotated[
                    SliceColumn,
                    BeforeValidator(as_mapping, json_schema_input_type=Text | SliceColumn),
                ],
                ...,
            ],
            Listed,
            Field(min_length=1),
        ]
        | None
    ) = Field(
        None,
        validate_default=True,
        description=f"Every combination of at most {MAX_COLUMNS} columns, each a name or a mapping "
        f"with `column` and, if need be, `values` or `edges`. {ONE_SPEC}",
    )
    values: Values = None
    edges: Edges = None
    max_slices: int = Field(
        10_000,
        ge=1,
        description="So many slices are kept, those of the most rows. The rows of the others are "
        "the slice `other`.",
    )

    @field_validator("columns", mode="wrap")
    @classmethod
    def _one_spec(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        wrong = []
        if "column" in info.data and (info.data["column"] is None) == (value is None):
            if value is None:
                keys = ("column", "columns")
                wrong = [refusal("key 'column' or 'columns' is missing; give one", (), keys)]
            else:
                wrong = [refusal("give 'column' or 'columns', not both")]
        if isinstance(value, list | tuple):
            wrong += repeated(value, lambda item: column_key(_mapped(item)))
            if len(value) > MAX_COLUMNS:
                wrong.append(refusal(f"at most {MAX_COLUMNS} columns can be crossed"))
        return together(value, handler, wrong)

    @field_validator("values", "edges")
    @classmethod
    def _of_one_column(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("columns") is not None:
            refuse(
                refusal(
                    f"not beside 'columns'; write it into an entry of 'columns', as in "
                    f"{{column: a, {info.field_name}: [...]}}"
                )
            )
        if info.field_name == "edges":
            _refuse_both(value, info)
        return value

    @property
    def parts(self) -> tuple[SliceColumn, ...]:
        """The columns that are crossed, sorted by name; a single column if there is no cross."""
        if self.columns is not None:
            return tuple(sorted(self.columns, key=lambda part: part.column))
        assert self.column is not None
        return (SliceColumn(column=self.column, values=self.values, edges=self.edges),)

    @property
    def name(self) -> str:
        """The description of the column or of the cross, for messages."""
        names = [part.name for part in self.parts]
        if len(names) == 1:
            return f"column {names[0]}"
        return f"the cross of {', '.join(names[:-1])} and {names[-1]}"


class Confidence(Model):
    """The intervals beside every number."""

    level: float = Field(
        default=0.95, gt=0, lt=1, description="How often an interval is to hold the true value."
    )
    folds: int = Field(
        default=20,
        description=f"So many parts the rows are cut into, from {MIN_FOLDS} to {MAX_FOLDS}: an "
        "error is what leaving out one part after another changes. 0 for no intervals.",
    )
    key: Text | None = Field(
        default=None,
        description="A column, such as `user_id`: rows of equal value depend on each other and "
        "stay in one part. Without it, each row is on its own.",
    )
    max_slices: int = Field(
        default=200,
        ge=0,
        description="Intervals of metrics that are read from histograms, such as `roc_auc`, are "
        "given for so many of the largest slices.",
    )

    @field_validator("folds")
    @classmethod
    def _none_or_enough(cls, value: int) -> int:
        if value and not MIN_FOLDS <= value <= MAX_FOLDS:
            refuse(
                refusal(
                    f"must be 0, for no intervals, or from {MIN_FOLDS} to {MAX_FOLDS}, not {value}"
                )
            )
        return value


def distinct_specs(specs: tuple[Slice, ...]) -> tuple[Slice, ...]:
    """Returns the entries if all are distinct, and refuses those that repeat an earlier entry."""
    first_position: dict[object, int] = {}
    refusals = []
    for position, spec in enumerate(specs):
        identity = tuple(part.identity for part in spec.parts)
        first = first_position.setdefault(identity, position)
        if first != position:
            refusals.append(
                refusal(f"{spec.name} is given twice (first as [{first}]); keep one", (position,))
            )
    refuse(*refusals)
    return specs


def slice_columns(specs: Iterable[Slice]) -> set[str]:
    """Returns the names of the columns of all entries."""
    return {part.column for spec in specs for part in spec.parts}


Slices = Annotated[
    tuple[Annotated[Slice, BeforeValidator(as_mapping, json_schema_input_type=Text | Slice)], ...],
    Listed,
    Field(max_length=MAX_ENTRIES),
    AfterValidator(distinct_specs),
]


def _mapped(item: Any) -> Any:
    """Expands the name of a column to a mapping; other items stay, whatever they are."""
    return {"column": item} if isinstance(item, str) else item


def _refuse_both(edges: Any, info: ValidationInfo) -> None:
    """Refuses edges if the entry has values too."""
    if edges is not None and info.data.get("values") is not None:
        refuse(refusal("give 'values' or 'edges', not both"))
