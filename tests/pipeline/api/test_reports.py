"""Evaluating from Python: the same figures from all that is taken, found, converted and saved."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import headcount
from pipeline import cli
from pipeline.config.load import as_config
from pipeline.runs.file_names import FILES, GATES_FILES, REPORT
from tests.pipeline.api.test_data import Frame
from tests.pipeline.beam.without_beam import run_without_beam
from tests.pipeline.whole_runs import table

PLAIN = {"type": "binary", "logits": "s", "label": "y"}
CONFIG: dict[str, Any] = {
    "confidence": {"folds": 12, "key": "id"},
    "slices": ["g", {"column": "k", "edges": [1, 2]}, {"columns": ["g", "k"]}],
    "heads": {
        "h": {
            "type": "binary",
            "logits": "s",
            "label": "y",
            "weight": "w",
            "baseline": {"logits": "t"},
            "thresholds": [0.25],
            "metrics": ["average_loss", "accuracy", "roc_auc", "flip_rate/positive_threshold_0.25"],
        }
    },
}
LISTED = {**CONFIG, "slices": [{"column": "g", "values": ["a", "b"]}]}


@pytest.fixture(scope="module")
def report() -> headcount.Report:
    return headcount.evaluate(table(), CONFIG)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("files")
    pq.write_table(table(), directory / "part-0.parquet")
    return str(directory / "*.parquet")


@pytest.fixture(scope="module")
def from_files(files: str) -> headcount.Report:
    return headcount.evaluate(files, CONFIG)


def test_all_forms_give_the_same(report: headcount.Report, from_files: headcount.Report) -> None:
    columns = {name: table()[name].to_pylist() for name in table().column_names}
    columns["s"] = np.array(columns["s"])
    expected = report.to_dict()
    assert headcount.evaluate(Frame(table()), as_config(CONFIG)[0]).to_dict() == expected
    assert headcount.evaluate(columns, CONFIG).to_dict() == expected
    # The folds follow from the key.
    assert from_files.to_dict() == expected


def test_a_reader_is_read_once() -> None:
    reader = table().to_reader(max_chunksize=70)
    assert (
        headcount.evaluate(reader, LISTED).to_dict()
        == headcount.evaluate(table(), LISTED).to_dict()
    )
    with pytest.raises(headcount.BadData, match="there are no rows"):
        headcount.evaluate(reader, LISTED)


def test_a_reader_is_refused_where_slices_are_counted() -> None:
    reader = table().to_reader()
    with pytest.raises(headcount.ConfigError, match=r"slices: .*\(reader\.read_all\(\)\)"):
        headcount.evaluate(reader, CONFIG)
    # And left as it was.
    assert reader.read_all() == table()


@pytest.mark.parametrize("data", [table().rename_columns({"s": "score_s"}), {"score_s": [1.0]}])
def test_a_missing_column_is_named_with_its_configuration(data: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps(CONFIG))
    with pytest.raises(headcount.ConfigError) as error:
        headcount.evaluate(data, path)
    assert f"{path}: no column 's' in the table; it has: " in str(error.value)


def test_every_metric_is_found(report: headcount.Report) -> None:
    """What `metric` returns is what report.json has, in every slice, of both models."""
    head = report.to_dict()["heads"]["h"]
    seen = 0
    for entry in head["slices"][::4]:
        slice_ = {condition["column"]: condition["value"] for condition in entry["slice"]}
        for of, metrics in (
            (None, entry["metrics"]),
            ("baseline", entry["baseline"]["metrics"]),
            ("difference", entry["difference"]),
            ("both", entry["both"]),
        ):
            for name, told in metrics.items():
                found = report.metric(name, "h", slice_, of=of)
                assert_is(found, told)
                assert found.examples == entry["examples"]
                if "unweighted" in told:
                    assert_is(
                        report.metric(name, slice=slice_, of=of, weighted=False), told["unweighted"]
                    )
                seen += 1
    assert seen == 40


def assert_is(found: headcount.Metric, told: dict[str, Any]) -> None:
    infinite = {"lower": -math.inf, "upper": math.inf}
    assert found.value == told["value"]
    assert found.reason == told.get("reason")
    assert found.no_interval == told.get("no_interval")
    for end, open_end in infinite.items():
        shown = told.get(end)
        assert getattr(found, end) == (open_end if end in told and shown is None else shown)
    has_interval = "lower" in told
    assert found.interval == ((found.lower, found.upper) if has_interval else None)
    assert found.rounded == (tuple(told["rounded"]) if "rounded" in told else None)
    for name in ("standard_error", "degrees_of_freedom", "p_worse"):
        assert getattr(found, name) == told.get(name)
    assert float(found) == told["value"] or (told["value"] is None and math.isnan(float(found)))


def test_slices_are_given_as_values_or_by_their_names(report: headcount.Report) -> None:
    missing = report.metric("accuracy", slice={"g": None})
    assert missing.slice == "g=(missing)"
    assert report.metric("accuracy", slice={"g": "(missing)"}) == missing
    assert report.metric("accuracy", slice={"k": "[1, 2)"}).slice == "k=[1, 2)"
    # In any order, and with scalars of NumPy.
    crossed = report.metric("accuracy", slice={"k": np.int64(2), "g": np.str_("a")})
    assert crossed.slice == "g=a, k=2"
    assert report.metric("accuracy", slice={"g": "a", "k": 2.0}) == crossed
    columns = {"s": [0.5, -0.5], "y": [1, 0], "r": [1.0, 2.5]}
    floats = headcount.evaluate(columns, {"slices": ["r"], "heads": {"h": PLAIN}})
    for given, name in ((1, "1.0"), (1.0, "1.0"), ("2.5", "2.5"), (2.5, "2.5")):
        assert floats.metric("accuracy", slice={"r": given}).slice == f"r={name}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "roc_acu"}, "there is no metric 'roc_acu'; did you mean 'roc_auc'?"),
        ({"head": "hh"}, "there is no head 'hh'; did you mean 'h'?"),
        ({"of": "diference"}, "; did you mean 'difference'?"),
        ({"slice": {"g": "aa"}}, "there is no slice 'g=aa'; did you mean 'g=a'?"),
        ({"slice": {"q": 1}}, "there is no slice 'q=1'"),
        # A number is no text.
        ({"slice": {"k": "2", "g": "a"}}, "there is no slice 'g=a, k=2'"),
    ],
)
def test_what_the_report_has_not(
    report: headcount.Report, arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(KeyError) as error:
        report.metric(**{"name": "roc_auc", **arguments})
    assert isinstance(error.value, headcount.NotInReport)
    assert told in str(error.value)


@pytest.mark.parametrize("arguments", [{"slice": "g=a"}, {"name": 3}, {"head": 3}])
def test_what_is_no_name(report: headcount.Report, arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        report.metric(**{"name": "roc_auc", **arguments})


def test_the_head_is_named_if_there_are_several() -> None:
    heads = dict.fromkeys("abcdefg", PLAIN)
    several = headcount.evaluate(table(), {"heads": heads})
    with pytest.raises(KeyError, match="give head=, one of a, b, c"):
        several.metric("accuracy")
    assert several.metric("accuracy", "b").head == "b"
    lines = repr(several).splitlines()
    assert len(lines) == 7
    assert lines[-1] == "  and 2 more heads>"


def test_the_repr_is_short(report: headcount.Report) -> None:
    first, line = repr(report).splitlines()
    assert first == "<Report of 500 rows"
    assert line.startswith("  h (binary, 15 slices): average_loss 0.")
    assert len(line) < 100
    metric = report.metric("roc_auc", slice={"g": "a"})
    assert repr(metric).startswith("<Metric roc_auc of h, candidate, g=a: 0.")
    assert " interval 0." in repr(metric)
    assert repr(metric).endswith(")>")
    # The tables of the terminal.
    assert "worse beyond noise" in str(report)


def test_conversions_are_copies(report: headcount.Report) -> None:
    data = report.to_dict()
    data["heads"].clear()
    assert report.to_dict()["heads"]
    assert report.to_arrow().num_rows == 256


def test_what_is_saved_is_what_the_command_leaves(
    files: str,
    from_files: headcount.Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_without_beam(monkeypatch)
    saved, ran = tmp_path / "saved", tmp_path / "ran"
    from_files.save(saved)
    report = headcount.run(CONFIG, files, ran)
    assert report is not None
    assert report.to_dict() == from_files.to_dict()
    names = [name for name in FILES if name not in GATES_FILES]
    assert sorted(path.name for path in saved.iterdir()) == sorted(names)
    for name in names[:-2]:
        assert (saved / name).read_bytes() == (ran / name).read_bytes(), name
    assert cli.main(["show", str(saved)]) == 0
    assert capsys.readouterr().out == f"{from_files}\n"
    assert cli.main(["diff", str(saved), str(ran)]) == 0


def test_a_saved_report_is_opened_and_saved_again(report: headcount.Report, tmp_path: Path) -> None:
    report.save(tmp_path / "one")
    opened = headcount.load(tmp_path / "one")
    assert repr(opened) == repr(report)
    assert opened.to_arrow() == report.to_arrow()
    with pytest.raises(headcount.OutputTaken, match="overwrite=True"):
        report.save(tmp_path / "one")
    # Onto itself, too, and as a pickle of it.
    pickle.loads(pickle.dumps(opened)).save(tmp_path / "one", overwrite=True)
    opened.save(tmp_path / "two")
    assert headcount.load(str(tmp_path / "two")).to_dict() == report.to_dict()
    content = (tmp_path / "two" / REPORT).read_text()
    (tmp_path / "two" / REPORT).write_text(content.replace("0.9", "0.8", 1))
    with pytest.raises(headcount.ConfigError, match=r"report\.json: it is not what manifest\.json"):
        headcount.load(tmp_path / "two")
    with pytest.raises(headcount.ConfigError, match="holds no finished run"):
        headcount.load(tmp_path)


def test_nothing_is_saved_among_the_files_that_were_read(
    files: str, from_files: headcount.Report
) -> None:
    directory = Path(files).parent
    with pytest.raises(headcount.ConfigError, match=r"metrics\.parquet would be read as input"):
        from_files.save(directory)
    assert [path.name for path in directory.iterdir()] == ["part-0.parquet"]


def test_bad_data_leaves_where_it_says(files: str, tmp_path: Path) -> None:
    bad = {**CONFIG, "where": [{"column": "g", "values": ["nowhere"]}]}
    with pytest.raises(headcount.BadData, match="none of 500 rows matches 'where'"):
        headcount.evaluate(files, bad)
    with pytest.raises(headcount.ConfigError, match="give output=, or 'output' in the"):
        headcount.run(CONFIG, files)
    with pytest.raises(headcount.ConfigError, match="give input=, or 'input' in the"):
        headcount.run(CONFIG, output=tmp_path / "out")


def test_a_slice_against_overall_is_found(report: headcount.Report) -> None:
    head = CONFIG["heads"]["h"] | {"metrics": ["accuracy"], "baseline": None}
    compared = headcount.evaluate(
        table(), {**LISTED, "against_overall": True, "heads": {"h": head}}
    )
    overall, value = (compared.metric("accuracy", slice=s) for s in (None, {"g": "a"}))
    assert value.against_overall is None
    difference, ratio = (
        compared.metric("accuracy", slice={"g": "a"}, against_overall=kind)
        for kind in ("difference", "ratio")
    )
    assert float(difference) == float(value) - float(overall)
    assert float(ratio) == float(value) / float(overall)
    assert difference.p_value is not None
    assert 0 < difference.p_value < 1
    assert "h, difference against overall, g=a: " in repr(difference)
    with pytest.raises(headcount.NotInReport, match="comparison with overall 'ratio'"):
        report.metric("accuracy", slice={"g": "a"}, against_overall="ratio")
