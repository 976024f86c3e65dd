"""The layout of `report.json`: its version and its types, which a stored report must fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline.config.model import Config
from pipeline.report.stored_json import (
    Misfit,
    Type,
    anything,
    at_least_0,
    check_version,
    count,
    flag,
    list_of,
    mapping_of,
    number,
    or_null,
    parse_json,
    record,
    share,
    text,
)

SCHEMA_VERSION = 2
PLACES = (
    "input",
    "output",
    "input_manifest",
    "format",
    "allow_duplicate_files",
    "schema_file",
    "problem_statement",
)
"""The keys of the configuration that say which files there are; a report does not have them."""
GATES = "gates"
"""The key of the configuration whose verdict is in a file of its own; a report does not have it."""

# Beyond, only the number of the faults of a configuration is told.
_MOST_FAULTS = 1000


def _bounds(value: Any) -> None:
    """The type of the bounds of a value."""
    _NUMBERS(value)
    if len(value) != 2:
        raise Misfit("expected two numbers")


def _figure_with(beside: Mapping[str, Type]) -> Type:
    """Returns the type of figures with their intervals.

    Args:
        beside: the types of the figures that may be beside them, by key.
    """
    errors = {
        "standard_error": at_least_0,
        "degrees_of_freedom": at_least_0,
        "p_worse": share,
        "p_value": share,
        "rounded": _bounds,
        **beside,
    }
    undefined = record({"value": anything, "reason": text}, beside)
    without_interval = record({"value": number, "no_interval": text}, errors)
    with_interval = record({"value": number, "lower": _END, "upper": _END}, errors)

    def check(value: Any) -> None:
        if type(value) is not dict or value.get("value") is None:
            undefined(value)
        elif "no_interval" in value:
            without_interval(value)
        else:
            with_interval(value)

    return check


_NUMBERS = list_of(number)
_END = or_null(number)
_FIGURE = _figure_with({})
_FIGURES = mapping_of(_FIGURE)
_COMPARED = {"against_overall": record({"difference": _FIGURE, "ratio": _FIGURE})}
_METRICS = mapping_of(_figure_with({"unweighted": _FIGURE, **_COMPARED}))

_BIN = record(
    {
        "low": number,
        "high": number,
        "rows": count,
        "weight": or_null(number),
        "mean_probability": or_null(number),
        "mean_label": or_null(number),
    }
)
_POINTS = mapping_of(list_of(or_null(number)))
_CURVES = record(
    {}, {"roc": _POINTS, "precision_recall": _POINTS, "gain": _POINTS, "calibration": list_of(_BIN)}
)
_CONFUSED = record({"label": text, "predicted": text, "rows": count, "share_of_label": share})
_DETAILS = {
    "curves": _CURVES,
    "class_curves": mapping_of(_CURVES),
    "confusion_matrix": list_of(list_of(count)),
    "weighted_confusion_matrix": list_of(list_of(or_null(number))),
    "most_confused": list_of(_CONFUSED),
}
_BESIDE = {"score_rounding": at_least_0, **_DETAILS}


def _slice_value(value: Any) -> None:
    """The type of values of slices."""
    if not isinstance(value, str | int | None):
        raise Misfit("expected text, a whole number, true, false or null")


CONDITIONS = list_of(record({"column": text, "kind": text, "value": _slice_value}))
"""The type of the conditions of a slice."""

_SLICE = record(
    {"slice": CONDITIONS, "examples": count, "small": flag, "metrics": _METRICS},
    {
        "baseline": record({"metrics": _METRICS}, _BESIDE),
        "difference": _FIGURES,
        "both": mapping_of(_figure_with(_COMPARED)),
        **_BESIDE,
    },
)
_WORSE = record(
    {
        "metric": text,
        "slices": or_null(count),
        "slice": CONDITIONS,
        "difference": number,
        "p_worse": share,
        "p_adjusted": share,
    }
)
_CAUSE = record(
    {
        "slice": CONDITIONS,
        "metrics": list_of(text),
        "slices": count,
        "first": record(
            {"metric": text, "candidate": number, "baseline": number, "difference": number}
        ),
    }
)
_HEAD = record(
    {
        "type": text,
        "classes": list_of(text),
        "weighted": flag,
        "headline": list_of(text),
        "threshold_rule": text,
        "bad_rows": mapping_of(count),
        "slices": list_of(_SLICE),
        "slices_left_out": count,
        "detailed_slices": count,
        "slices_folded": list_of(count),
    },
    {"worse": list_of(_WORSE), "causes": list_of(_CAUSE)},
)
_REPORT = record(
    {
        "headcount_report": count,
        # `Config` checks the rest, and would add what is missing.
        "config": record({"confidence": record({"level": number}, more=True)}, more=True),
        "rows": record({"read": count, "evaluated": count}),
        "heads": mapping_of(_HEAD),
    }
)


@dataclass(frozen=True)
class Report:
    """A report that was read back.

    Attributes:
        data: the report as plain data, see `build_report`.
        config: the configuration in it.
    """

    data: dict[str, Any]
    config: Config


def parse_report(content: bytes) -> Report:
    """Returns the report that `report.json` holds; the terminal can show it.

    Raises:
        ValueError: if the content is no report, or is of another version than this release reads.
    """
    data = parse_json(content)
    check_version(data, "headcount_report", SCHEMA_VERSION)
    _REPORT(data)
    config = _parse_config(data["config"])
    if data["heads"].keys() != config.heads.keys():
        raise Misfit("they are not those of 'config'", ("heads",))
    for name, head in data["heads"].items():
        if head["type"] != config.heads[name].type:
            raise Misfit("it is not that of 'config'", ("heads", name, "type"))
        try:
            _check_head(head, compared=config.against_overall)
        except Misfit as misfit:
            raise misfit.below("heads", name) from None
    return Report(data, config)


def _parse_config(data: dict[str, Any]) -> Config:
    for place in PLACES:
        if place in data:
            raise Misfit("a report names no files", ("config", place))
    if GATES in data:
        raise Misfit("a report has no gates", ("config", GATES))
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        if error.error_count() > _MOST_FAULTS:
            raise Misfit(f"it has {error.error_count():,} faults", ("config",)) from None
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise Misfit(first["msg"], ("config", *first["loc"])) from None


def _check_head(head: dict[str, Any], *, compared: bool) -> None:
    """Raises `Misfit` unless the parts of a head fit each other.

    Args:
        head: the head.
        compared: whether its slices are compared with overall.
    """
    for position, entry in enumerate(head["slices"]):
        try:
            _check_slice(entry, head)
            _check_compared(entry, compared=compared and position > 0)
        except Misfit as misfit:
            raise misfit.below("slices", position) from None
    if not head["slices"] or head["slices"][0]["slice"]:
        raise Misfit("the first slice is not overall", ("slices",))
    detailed = sum(map(_has_details, head["slices"][1:]))
    if head["detailed_slices"] != detailed:
        raise Misfit(f"{detailed:,} slices have details", ("detailed_slices",))
    names = head["headline"]
    if len(set(names)) < len(names) or not head["slices"][0]["metrics"].keys() >= set(names):
        raise Misfit("not every name is that of a metric, or one comes twice", ("headline",))
    # Reports of older releases do not have the key.
    if "causes" in head:
        _check_causes(head)


def _check_slice(entry: dict[str, Any], head: dict[str, Any]) -> None:
    for key in ("baseline", "difference", "both"):
        if (key in entry) != ("worse" in head):
            raise Misfit(f"'{key}' of a slice goes with 'worse' of the head")
    for model in (entry, entry.get("baseline", entry)):
        for name in ("confusion_matrix", "weighted_confusion_matrix"):
            matrix = model.get(name)
            if matrix is not None and {len(head["classes"])} != {len(matrix), *map(len, matrix)}:
                raise Misfit("it has not a row and a column for each class", (name,))


def _check_causes(head: dict[str, Any]) -> None:
    """Raises `Misfit` unless the causes of a head explain what is worse in it."""
    if "worse" not in head:
        raise Misfit("it goes with 'worse' of the head", ("causes",))
    worse = {
        (entry["metric"], repr(entry["slice"])): entry["difference"] for entry in head["worse"]
    }
    slices = {conditions for _, conditions in worse}
    seen: set[str] = set()
    for position, cause in enumerate(head["causes"]):
        first, conditions = cause["first"], repr(cause["slice"])
        if worse.get((first["metric"], conditions)) != first["difference"]:
            raise Misfit("it is not that of an entry of 'worse'", ("causes", position, "first"))
        if first["metric"] not in cause["metrics"] or not 1 <= cause["slices"] <= len(slices):
            raise Misfit("its metrics and slices are not those of 'worse'", ("causes", position))
        if conditions in seen:
            raise Misfit("its slice is that of an earlier cause", ("causes", position))
        seen.add(conditions)
    if {metric for metric, _ in worse} != {name for c in head["causes"] for name in c["metrics"]}:
        raise Misfit("their metrics are not those of 'worse'", ("causes",))


def _has_details(entry: dict[str, Any]) -> bool:
    """Returns whether a slice has details, of any model."""
    return any(_DETAILS.keys() & model.keys() for model in (entry, entry.get("baseline", entry)))


def _check_compared(entry: dict[str, Any], *, compared: bool) -> None:
    """Raises `Misfit` if metrics are compared with overall that should not be."""
    parts = (entry, "metrics"), (entry.get("baseline", {}), "metrics"), (entry, "both")
    for part, key in parts:
        for name, metric in part.get(key, {}).items():
            if "against_overall" in metric and not compared:
                raise Misfit("this slice is not compared with overall", (key, name))
