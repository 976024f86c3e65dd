"""A configuration held against the columns of the first file."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.check import check_columns, check_types, find_shards
from pipeline.config.problems import ConfigError
from pipeline.evaluate import evaluate
from pipeline.facts import BadData
from pipeline.readers.shards import Shard, list_local, open_local
from tests.pipeline.tables import plan_of, write

TEXT = """
where: [{column: split, values: [test]}]
slices: [{column: country}]
heads:
  click: {type: binary, logits: score, label: label, weight: weight}
  topic: {type: multi_class, n_classes: 3, logits: scores, label: label}
"""
GOOD: dict[str, Any] = {
    "split": ["test"],
    "country": ["CH"],
    "score": [0.5],
    "scores": [[0.1, 0.2, 0.3]],
    "label": [1],
    "weight": [1.0],
}


def told(
    tmp_path: Path, columns: dict[str, Any], text: str = TEXT, path: str = "a.parquet"
) -> list[str]:
    """The problems of a file with these columns, with the place it is in left out."""
    shard = write(tmp_path / path, pa.table(columns))
    try:
        check_columns(plan_of(text), shard, open_local, "c.yaml")
    except ConfigError as error:
        return str(error).replace(str(tmp_path) + "/", "").split("\n")
    return []


def test_columns_that_fit(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD) == []
    # Columns that nobody reads may be of any type.
    assert told(tmp_path, GOOD | {"date": pa.array([1], pa.date32())}) == []


def test_every_missing_column_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    columns = {name: GOOD[name] for name in ("split", "country", "scores")}
    assert told(tmp_path, columns | {"Label": [1], "zzzzzzzz": [1.0]}) == [
        "c.yaml: no column 'label' in a.parquet; did you mean 'Label'? it has: split, country,"
        " scores, Label, zzzzzzzz",
        "c.yaml: no column 'score' in a.parquet; did you mean 'scores'? it has: split, country,"
        " scores, Label, zzzzzzzz",
        "c.yaml: no column 'weight' in a.parquet; it has: split, country, scores, Label, zzzzzzzz",
    ]


def test_columns_of_directories_are_columns(tmp_path: Path) -> None:
    columns = {name: values for name, values in GOOD.items() if name not in ("split", "country")}
    assert told(tmp_path, columns, path="split=test/country=CH/a.parquet") == []
    # They are text.
    columns = {name: values for name, values in GOOD.items() if name != "weight"}
    assert told(tmp_path, columns, path="weight=1/a.parquet") == [
        "c.yaml: heads.click: column 'weight' is string, and numbers are needed"
    ]


@pytest.mark.parametrize(
    ("column", "values", "problem"),
    [
        ("score", ["0.5"], "heads.click: column 'score' is string, and numbers are needed"),
        (
            "score",
            [Decimal("0.5")],
            "heads.click: column 'score' is decimal128(1, 1), and numbers are needed",
        ),
        ("weight", [["1"]], "heads.click: column 'weight' is string, and numbers are needed"),
        ("scores", [0.5], "heads.topic: column 'scores' is double, and lists are needed"),
        ("scores", [["a"]], "heads.topic: column 'scores' holds string, and numbers are needed"),
        (
            "split",
            [1],
            "where: column 'split' is int64, and 'where' looks for 'test' in it; write the values"
            " as the column has them (quote text, do not quote numbers)",
        ),
    ],
)
def test_a_column_of_the_wrong_type(
    tmp_path: Path, column: str, values: list[Any], problem: str
) -> None:
    assert told(tmp_path, GOOD | {column: values}) == [f"c.yaml: {problem}"]


def test_every_column_of_the_wrong_type_is_told(tmp_path: Path) -> None:
    wrong = {"split": [1], "score": ["a"], "scores": [1.0], "weight": ["a"]}
    problems = told(tmp_path, GOOD | wrong)
    for column in wrong:
        assert any(f"'{column}' is" in problem for problem in problems), column


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1], pa.timestamp("us")),
        pa.array([{"a": 1}]),
        pa.array([[[1]]]),
    ],
    ids=lambda array: str(array.type),
)
def test_a_slice_of_values_that_cannot_be_sliced_by(tmp_path: Path, values: pa.Array) -> None:
    (problem,) = told(tmp_path, GOOD | {"country": values})
    assert "'country'" in problem


def test_a_column_given_twice(tmp_path: Path) -> None:
    table = pa.table(GOOD).append_column("label", pa.array([1]))
    shard = write(tmp_path / "a.parquet", table)
    with pytest.raises((ConfigError, BadData), match="'label'"):
        evaluate(shard.path, plan_of(TEXT))


def test_a_table_is_checked_like_a_file() -> None:
    types = {name: pa.array(values).type for name, values in GOOD.items()}
    check_types(plan_of(TEXT), types, "the table", "plan")
    with pytest.raises(ConfigError, match=r"^plan: no column 'label' in the table; it has: split,"):
        check_types(
            plan_of(TEXT), {n: t for n, t in types.items() if n != "label"}, "the table", "plan"
        )


def test_a_shard_that_cannot_be_read_is_for_the_data_report(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"broken")
    check_columns(plan_of(TEXT), Shard(str(path), 6, "parquet"), open_local, "c.yaml")
    with pytest.raises(BadData, match=r"a\.parquet: corrupt_parquet"):
        evaluate(str(path), plan_of(TEXT))


def test_shards_are_found_in_order_and_the_first_is_checked(tmp_path: Path) -> None:
    write(tmp_path / "b.parquet", pa.table(GOOD))
    write(tmp_path / "a.parquet", pa.table(GOOD))
    pattern = str(tmp_path / "*.parquet")
    shards = find_shards(plan_of(TEXT), [pattern], "c.yaml", list_local, open_local)
    assert [Path(shard.path).name for shard in shards] == ["a.parquet", "b.parquet"]
    write(tmp_path / "a.parquet", pa.table({"x": [1]}))
    with pytest.raises(ConfigError, match="no column 'score'"):
        find_shards(plan_of(TEXT), [pattern], "c.yaml", list_local, open_local)


def test_no_file_at_all(tmp_path: Path) -> None:
    patterns = [str(tmp_path / "*.parquet"), str(tmp_path / "*.pq")]
    with pytest.raises(BadData) as caught:
        find_shards(plan_of(TEXT), patterns, "c.yaml", list_local, open_local)
    assert caught.value.problems == [f"no file matches {patterns[0]}, {patterns[1]}"]


def test_a_file_of_no_known_format_is_a_problem_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(ConfigError, match=r"^c.yaml: input: .*a.csv: cannot tell the format"):
        find_shards(plan_of(TEXT), [str(tmp_path / "*")], "c.yaml", list_local, open_local)


@pytest.mark.parametrize(
    "make",
    [lambda t: t, pa.list_, pa.large_list, lambda t: pa.list_(t, 1)],
    ids=["plain", "list", "large_list", "fixed_size_list"],
)
def test_single_values_may_be_in_lists(
    tmp_path: Path, make: Callable[[pa.DataType], pa.DataType]
) -> None:
    columns = GOOD | {
        name: pa.array([], make(pa.array(GOOD[name]).type))
        for name in ("split", "country", "score", "label", "weight")
    }
    columns["scores"] = pa.array([], pa.list_(pa.float32()))
    assert told(tmp_path, columns) == []
