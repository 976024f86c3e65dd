"""Reports that are read back: those that are written fit their layout, and no others do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from pipeline.evaluate import evaluate
from pipeline.report.report_json import report_bytes
from pipeline.report.report_layout import PLACES, parse_report
from pipeline.report.text.render import render
from tests.e2e.conftest import CONFIG, make_rows
from tests.pipeline.tables import plan_of
from tests.pipeline.whole_runs import KEYED, config, table

Steps = tuple[str | int, ...]
A = {"column": "g", "kind": "string", "value": "a"}

SMALL = "binary, logits: s, label: y, weight: w, metrics: [average_loss, precision],"
SMALL += " baseline: {{logits: t}}"
CLASSES = "multi_class, n_classes: 3, logits: c, label: k, metrics: [accuracy]"


@cache
def small(head: str = SMALL) -> bytes:
    text = config(confidence=KEYED, slices="[g]", head=head, more="against_overall: true")
    return report_bytes(evaluate(table(), plan_of(text)).report)


def refusal(data: Any) -> str:
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    with pytest.raises(ValueError, match=r".") as caught:
        parse_report(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(path: Steps, value: Any, head: str = SMALL) -> Any:
    """The report with another value at a place."""
    data = json.loads(small(head))
    at(data, path[:-1])[path[-1]] = value
    return data


def at(data: Any, path: Steps) -> Any:
    for step in path:
        data = data[step]
    return data


def places(data: Any, path: Steps = ()) -> Iterator[Steps]:
    if path:
        yield path
    items = data.items() if isinstance(data, dict) else enumerate(data[:3])
    for key, value in items:
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))
        else:
            yield (*path, key)


POINTS = "binary, logits: s, label: y, at: {{recall: [0.995], precision: [0.9]}}"


@pytest.mark.parametrize(
    "text",
    [
        CONFIG,
        config("s", "folds: 0"),
        config(
            head="multi_label, n_classes: 3, logits: c, label: {{column: tags, form: multi_hot}}"
        ),
        config(head=CLASSES, slices="[{column: g, values: [a]}]"),
        config(head=SMALL, slices="[]"),
        # Intervals with open ends.
        config(head=POINTS),
    ],
)
def test_reports_that_are_written_are_read(text: str) -> None:
    rows = make_rows(200) if text is CONFIG else table(200)
    report = evaluate(rows, plan_of(text)).report
    found = parse_report(report_bytes(report))
    assert found.data == report
    assert found.config == plan_of(text).config
    assert render(found.data) == render(report)


def test_overall_is_not_compared_with_itself() -> None:
    slices = ("heads", "h", "slices")
    compared = at(json.loads(small()), (*slices, 1, "metrics", "precision"))["against_overall"]
    assert compared["difference"]["p_value"] <= 1
    place = (*slices, 0, "metrics", "precision", "against_overall")
    said = "heads.h.slices[0].metrics.precision: this slice is not compared with overall"
    assert said in refusal(changed(place, compared))
    del compared["ratio"]
    assert "against_overall: key 'ratio' is missing" in refusal(
        changed((*slices, 1, *place[4:]), compared)
    )
    assert "slices[1].metrics" in refusal(changed(("config", "against_overall"), False))


@pytest.mark.parametrize("bounds", [[0.1], [0.1, 0.2, 0.3], "0.1", [0.1, None], None])
def test_bounds_are_two_numbers(bounds: Any) -> None:
    metric = ("heads", "h", "slices", 0, "metrics", "precision")
    assert "rounded" in refusal(changed((*metric, "rounded"), bounds))
    changed_data = changed((*metric, "rounded"), [0.1, 0.2])
    assert parse_report(json.dumps(changed_data).encode()).data == changed_data


WITHOUT_CONFIG = ("headcount_report", "rows", "heads")
# Keys that not every report has.
OPTIONAL = {"standard_error", "p_worse", "unweighted", "score_rounding", "curves", "calibration"}
OPTIONAL |= {
    "degrees_of_freedom",
    "against_overall",
    "causes",
    "p_value",
    "roc",
    "precision_recall",
    "gain",
    "confusion_matrix",
    "weighted_confusion_matrix",
    "most_confused",
}
# Mappings whose keys are names.
NAMED = {"heads", "metrics", "difference", "both", "bad_rows", "roc", "precision_recall", "gain"}


@pytest.mark.parametrize("head", [SMALL, CLASSES])
def test_no_place_holds_a_value_of_another_type(head: str) -> None:
    whole = json.loads(small(head))
    checked = 0
    for path in places(whole):
        if path[0] in WITHOUT_CONFIG:
            old = at(whole, path)
            for value in ({"x": 1}, ["x"], True, 1):
                # A slice may be that of true or of 1, and a float may be whole.
                allowed = path[-3:-2] == ("slice",) and path[-1] == "value"
                allowed |= type(value) is int and isinstance(old, float)
                if type(value) is not type(old) and not allowed:
                    assert str(path[0]) in refusal(changed(path, value, head)), (path, value)
                    checked += 1
    assert checked > 200


@pytest.mark.parametrize("head", [SMALL, CLASSES])
def test_no_key_is_missing_or_unknown(head: str) -> None:
    whole = json.loads(small(head))
    keys = [path for path in places(whole) if path[0] in WITHOUT_CONFIG]
    keys = [(*path[:-1], path[-1]) for path in keys if isinstance(path[-1], str)]
    keys = [path for path in keys if path[-2:-1] == () or path[-2] not in NAMED]
    for path in keys:
        data = deepcopy(whole)
        holder = at(data, path[:-1])
        value = holder.pop(path[-1])
        if path[-1] not in OPTIONAL:
            refusal(data)
        holder[f"{path[-1]}x"] = value
        refusal(data)
    assert len(keys) > 50


SLICE: Steps = ("heads", "h", "slices", 0)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("headcount_report",), 99, "'headcount_report' has version 99, and this release"),
        (("headcount_report",), 2.0, "it has no 'headcount_report'"),
        (("headcount_report",), True, "it has no 'headcount_report'"),
        (("rows", "read"), -1, "rows.read: expected a count, not the number -1"),
        (("rows", "read"), 1 << 63, "rows.read: expected a count"),
        (("rows", "read"), 5.0, "rows.read: expected a count"),
        (("config", "confidence", "level"), 1.0, "config.confidence.level: "),
        (("config", "confidence"), {}, "config.confidence: key 'level' is missing"),
        (("config",), {"heads": {}}, "config: key 'confidence' is missing"),
        (("config", "confidence", "level"), "0.95", "config.confidence.level: "),
        (("config", "heads", "h", "metrics"), [], "config.heads.h.binary.metrics: "),
        (("heads",), {}, "heads: they are not those of 'config'"),
        (("heads", "h", "type"), "multi_class", "heads.h.type: it is not that of 'config'"),
        (("heads", "h", "slices"), [], "heads.h.slices: the first slice is not overall"),
        ((*SLICE, "slice"), [{}], "heads.h.slices[0].slice[0]: key 'column' is missing"),
        (
            (*SLICE, "slice"),
            [{"column": "g", "kind": "string", "value": "a"}],
            "heads.h.slices: the first slice is not overall",
        ),
        ((*SLICE, "examples"), -1, "heads.h.slices[0].examples: expected a count"),
        ((*SLICE, "metrics"), {"x": {"value": None}}, "metrics.x: key 'reason' is missing"),
        ((*SLICE, "metrics"), {"x": {"value": 1.0}}, "metrics.x: key 'lower' is missing"),
        (
            (*SLICE, "metrics"),
            {"x": {"value": 1.0, "lower": 0.0}},
            "metrics.x: key 'upper' is missing",
        ),
        (
            (*SLICE, "metrics"),
            {"x": {"value": 1.0, "no_interval": "so", "lower": 0.0, "upper": 1.0}},
            "metrics.x: unknown key 'lower'",
        ),
        (
            (*SLICE, "metrics"),
            {"x": {"value": None, "reason": None}},
            "metrics.x.reason: expected text, not null",
        ),
        (("heads", "h", "headline"), ["x"], "heads.h.headline: not every name is that of a"),
        (
            ("heads", "h", "headline"),
            ["precision", "precision"],
            "heads.h.headline: not every name is that of a metric, or one comes twice",
        ),
        (
            ("heads", "h", "worse"),
            [{}],
            "heads.h.worse[0]: key 'metric' is missing",
        ),
        *((("config", place), "/etc/x", f"config.{place}: a report names no") for place in PLACES),
        (("heads", "h", "detailed_slices"), 7, "heads.h.detailed_slices: 0 slices have details"),
        (("config", "gates"), [], "config.gates: a report has no gates"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(path: Steps, value: Any, said: str) -> None:
    assert said in refusal(changed(path, value))


@pytest.mark.parametrize("part", ["baseline", "difference", "both"])
def test_parts_of_a_comparison_go_together(part: str) -> None:
    data = json.loads(small())
    del data["heads"]["h"]["slices"][1][part]
    assert f"slices[1]: '{part}' of a slice goes with 'worse' of the head" in refusal(data)
    data = json.loads(small())
    del data["heads"]["h"]["worse"]
    assert "slices[0]: 'baseline' of a slice goes with 'worse' of the head" in refusal(data)


CAUSES = ("heads", "h", "causes")
WORSE = SMALL.replace("logits: s", "logits: t").replace("{{logits: t}}", "{{logits: s}}")


def test_causes_are_those_of_what_is_worse() -> None:
    whole = json.loads(small(WORSE))
    found = at(whole, CAUSES)
    assert found
    assert {name for cause in found for name in cause["metrics"]} == {"average_loss", "precision"}
    assert refusal(changed(CAUSES, [], WORSE)).endswith("their metrics are not those of 'worse'")
    assert "its slice is that of an earlier" in refusal(changed(CAUSES, [*found, found[0]], WORSE))
    first = (*CAUSES, 0, "first")
    said = "heads.h.causes[0].first: it is not that of an entry of 'worse'"
    for key, value in (("difference", 0.5), ("metric", "accuracy")):
        assert said in refusal(changed((*first, key), value, WORSE))
    assert said in refusal(changed((*CAUSES, 0, "slice"), [{**A, "value": "z"}], WORSE))
    said = "causes[0]: its metrics and slices are not those of 'worse'"
    most = len({repr(entry["slice"]) for entry in at(whole, ("heads", "h", "worse"))})
    for count in (0, most + 1):
        assert said in refusal(changed((*CAUSES, 0, "slices"), count, WORSE))
    assert said in refusal(changed((*CAUSES, 0, "metrics"), ["kappa"], WORSE))


def test_a_report_of_one_model_has_no_causes() -> None:
    assert "causes: it goes with 'worse' of the head" in refusal(changed(CAUSES, [], CLASSES))


def test_reports_of_older_releases_have_no_causes() -> None:
    data = json.loads(small())
    del data["heads"]["h"]["causes"]
    assert parse_report(json.dumps(data).encode()).data == data


def test_slices_that_have_details_are_counted() -> None:
    data = json.loads(small(CLASSES))
    slices = data["heads"]["h"]["slices"]
    assert data["heads"]["h"]["detailed_slices"] == len(slices) - 1 > 0
    for key in [key for key in slices[1] if "conf" in key]:
        del slices[1][key]
    said = f"heads.h.detailed_slices: {len(slices) - 2} slices have details"
    assert said in refusal(data)


def test_a_confusion_matrix_has_a_row_and_a_column_for_each_class() -> None:
    for name in ("confusion_matrix", "weighted_confusion_matrix"):
        path = (*SLICE, name)
        for matrix in ([], [[1, 2], [3, 4]], [[1, 2, 3]] * 2, [[1, 2, 3], [1, 2], [1, 2, 3]]):
            said = refusal(changed(path, matrix, CLASSES))
            assert f"slices[0].{name}: it has not a row and a column" in said
    path = (*SLICE, "confusion_matrix")
    assert "expected a count" in refusal(changed(path, [[0.5] * 3] * 3, CLASSES))


@pytest.mark.parametrize(
    "text",
    [b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b'"\\ud800"', b"'x'", b"[" * 100_000, b"1.", b""],
)
@pytest.mark.parametrize("path", [("rows", "read"), (*SLICE, "metrics", "precision", "value")])
def test_what_is_no_json_or_no_number_is_refused(text: bytes, path: Steps) -> None:
    content = json.dumps(changed(path, "here")).encode().replace(b'"here"', text)
    said = refusal(content)
    assert "it is no JSON" in said or "expected a finite number" in said or "a count" in said


def test_a_text_that_is_no_unicode_is_refused() -> None:
    said = refusal(small().replace(b'"precision"', b'"\xff\xfe"'))
    assert said.startswith("it is no JSON: invalid unicode")


def test_many_faults_of_a_configuration_are_counted() -> None:
    data = json.loads(small())
    data["config"]["where"] = [0] * 2000
    # Of more than 1,000 entries the rest is not looked at.
    assert refusal(data) == "config: it has 1,001 faults"
