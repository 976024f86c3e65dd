"""Finds a metric in the metrics of a report by its name, its head and its slice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from heads.statistics.keys import key_text, parse_key
from pipeline.errors.metric_names import metric_hint
from pipeline.errors.suggest import did_you_mean
from pipeline.errors.wording import first_names
from pipeline.slicing.named import named_keys
from pipeline.slicing.names import slice_data, slice_name

_MODELS = ("model", "candidate", "both")


class NotInReport(KeyError):
    """An exception for a head, a metric or a slice that a report does not have."""

    def __str__(self) -> str:
        # That of `KeyError` puts the message in quotes.
        return str(self.args[0])


@dataclass(frozen=True)
class Metric:
    """A metric of a head in a slice: its value with its interval; `float` gives the value alone.

    Attributes:
        name: the name of the metric.
        head: the name of the head.
        slice: the slice, as people read it: `overall`, or `country=DE`.
        of: `model`; of a head with a baseline `candidate`, `baseline`, `difference` or `both`.
        weighted: whether rows count by their weights.
        examples: the number of rows of the slice.
        value: the value; None where it is undefined.
        reason: why the value is undefined; None where it is defined.
        level: the share of intervals that hold the true value.
        lower: the lower end of the interval; -inf where it is open, None where there is none.
        upper: the upper end; inf where it is open.
        no_interval: why a defined value has no interval; None where it has.
        standard_error: the standard error; None where there is none.
        degrees_of_freedom: those of the standard error.
        rounded: certain bounds of a value that is read from rounded scores; None where it is exact.
        p_worse: for a difference, the one-sided p-value that the candidate is worse.
        against_overall: `difference` or `ratio` of a slice compared with overall; None for itself.
        p_value: for a difference from overall, the two-sided p-value that there is none.
    """

    name: str
    head: str
    slice: str
    of: str
    weighted: bool
    examples: int
    value: float | None
    reason: str | None
    level: float
    lower: float | None
    upper: float | None
    no_interval: str | None
    standard_error: float | None
    degrees_of_freedom: float | None
    rounded: tuple[float, float] | None
    p_worse: float | None
    against_overall: str | None
    p_value: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval; None where there is none."""
        return None if self.lower is None or self.upper is None else (self.lower, self.upper)

    def __float__(self) -> float:
        return math.nan if self.value is None else self.value

    def __repr__(self) -> str:
        told = "undefined" if self.value is None else f"{self.value:.6g}"
        if self.interval is not None:
            told += f" ({self.level:g} interval {self.lower:.6g} to {self.upper:.6g})"
        elif (why := self.reason or self.no_interval) is not None:
            told += f" ({why})"
        kind = "" if self.of == "model" else f"{self.of}, "
        if self.against_overall is not None:
            kind += f"{self.against_overall} against overall, "
        return f"<Metric {self.name} of {self.head}, {kind}{self.slice}: {told}>"


def find_metric(
    table: pa.Table,
    level: float,
    name: str,
    head: str | None,
    slice_: Mapping[str, Any],
    of: str | None,
    weighted: bool,
    against_overall: str | None,
) -> Metric:
    """Returns a metric.

    Args:
        table: the metrics of the report, see `pipeline.report.metrics_parquet`.
        level: the level of the intervals.
        name: the name of the metric.
        head: the name of the head; None if the report has only one.
        slice_: the values of the columns of the slice; none for all rows.
        of: what the metric is of; None for the only model or the candidate.
        weighted: whether rows count by their weights, if the head has weights.
        against_overall: `difference` or `ratio` for a slice compared with overall; None for itself.

    Raises:
        NotInReport: if the report has no such metric.
    """
    if against_overall is None:
        table = table.filter(pc.is_null(table["against_overall"]))
    else:
        table = _where(table, "against_overall", against_overall, "comparison with overall")
    heads = _names(table, "head")
    if head is None:
        if len(heads) > 1:
            raise NotInReport(f"give head=, one of {', '.join(heads)}")
        head = heads[0]
    rows = _where(table, "head", head, "head")
    if of is not None:
        rows = _where(rows, "of", of, "kind of value")
    else:
        rows = rows.filter(pc.is_in(rows["of"].cast(pa.string()), pa.array(_MODELS)))
    rows = _where(rows, "metric", name, "metric")
    chosen = rows.filter(pc.equal(rows["weighted"], weighted))
    # A head without weights has the same rows in any case.
    rows = chosen if len(chosen) else rows
    return _metric(_row_of_slice(rows, slice_), level)


def _where(table: pa.Table, column: str, value: str, what: str) -> pa.Table:
    """Returns the rows of a table that have a value in a column of text."""
    if not isinstance(value, str):
        raise TypeError(f"a {what} is given by its name, not by {type(value).__name__}")
    rows = table.filter(pc.equal(table[column], value))
    if not len(rows):
        names = _names(table, column)
        if column == "metric":
            hint = metric_hint(value, names)
        else:
            hint = did_you_mean(value, names) or f"; there are: {first_names(names)}"
        raise NotInReport(f"there is no {what} {value!r}{hint}")
    return rows


def _names(table: pa.Table, column: str) -> list[str]:
    names: list[str] = table[column].cast(pa.string()).drop_null().unique().to_pylist()
    return names


def _row_of_slice(rows: pa.Table, slice_: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of a slice."""
    if not isinstance(slice_, Mapping):
        message = f"a slice is a dict of columns and their values, not {type(slice_).__name__}"
        raise TypeError(f'{message}: slice={{"country": "DE"}}')
    texts = rows["slice"].cast(pa.string())
    for key in named_keys(slice_):
        found = rows.filter(pc.equal(texts, key_text(key)))
        if len(found):
            row: dict[str, Any] = found.slice(0, 1).to_pylist()[0]
            return row
    names = [_slice_name(text) for text in texts.unique().to_pylist()]
    asked = ", ".join(f"{column}={value}" for column, value in sorted(slice_.items()))
    shown = first_names([repr(name) for name in names])
    hint = did_you_mean(asked, names) or f"; there are: {shown}"
    raise NotInReport(f"there is no slice {asked!r}{hint}")


def _slice_name(text: str) -> str:
    return slice_name(slice_data(parse_key(text)))


def _metric(row: Mapping[str, Any], level: float) -> Metric:
    """Returns the metric that a row of the table is."""
    has_interval = row["value"] is not None and row["no_interval"] is None
    rounded = None if row["lowest"] is None else (row["lowest"], row["highest"])
    lower = -math.inf if row["lower"] is None else row["lower"]
    upper = math.inf if row["upper"] is None else row["upper"]
    return Metric(
        name=row["metric"],
        head=row["head"],
        slice=_slice_name(row["slice"]),
        of=row["of"],
        weighted=row["weighted"],
        examples=row["examples"],
        value=row["value"],
        reason=row["reason"],
        level=level,
        lower=lower if has_interval else None,
        upper=upper if has_interval else None,
        no_interval=row["no_interval"],
        standard_error=row["standard_error"],
        degrees_of_freedom=row["degrees_of_freedom"],
        rounded=rounded,
        p_worse=row["p_worse"],
        against_overall=row["against_overall"],
        p_value=row["p_value"],
    )
