"""The same values give the same report, whatever types files and tables store them in."""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet import encryption

from pipeline.errors.faults import BadData
from pipeline.errors.problems import ConfigError
from pipeline.evaluate import evaluate
from pipeline.report.report_json import report_bytes
from tests.faults.parquet_files import I32, ParquetFile
from tests.pipeline.tables import PLAIN, plan_of, slices_of, write

TEXT = """
where: [{column: keep, values: [1, 2]}]
slices: [g, k, {column: k, edges: [3]}, {column: k, values: [1, 4]}, {column: big}, {column: h}]
confidence: {key: id, folds: 10}
heads:
  h: {type: binary, logits: s, label: y, weight: w, metrics: [average_loss, label/mean]}
  v:
    type: binary
    logits: {column: c, index: 1}
    label: {column: g, vocabulary: [a, b]}
    metrics: [average_loss]
  m: {type: multi_class, n_classes: 3, logits: c, label: z, metrics: [average_loss]}
  t:
    type: multi_label
    n_classes: 3
    logits: c
    label: {column: t, form: ids}
    metrics: [average_loss]
"""
PLAN = plan_of(TEXT)
ROWS = 60
# Integers that no float64 tells apart, and some beyond 64 bits.
BIG = [2**53, 2**53 + 1, -(2**53) - 1, 7]
HUGE = [10**30, 10**30 + 1, -(10**25), 2**64 - 1, 5]


def columns() -> dict[str, pa.Array]:
    rng = np.random.default_rng(4)
    quarters = rng.integers(-8, 9, (ROWS, 3)) / 4
    return {
        "s": pa.array(quarters[:, 0]),
        "y": pa.array(rng.integers(0, 2, ROWS)),
        "w": pa.array(rng.integers(0, 9, ROWS) / 4),
        "g": pa.array(rng.choice(["a", "b"], ROWS)),
        "k": pa.array([None if i % 9 == 0 else i % 6 for i in range(ROWS)]),
        "big": pa.array([BIG[i % 4] for i in range(ROWS)]),
        "h": pa.array(rng.integers(0, 4, ROWS) / 4),
        "id": pa.array([2**53 + i % 20 for i in range(ROWS)]),
        "keep": pa.array(rng.integers(0, 3, ROWS)),
        "c": pa.array(quarters.tolist()),
        "z": pa.array(rng.integers(0, 3, ROWS)),
        "t": pa.array([[i % 3] * (i % 5 > 0) for i in range(ROWS)]),
    }


GOOD = columns()


def cast(type_: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    return lambda array: array.cast(type_)


def decimals(type_: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    def stored(array: pa.Array) -> pa.Array:
        values = [None if v is None else Decimal(v) for v in array.to_pylist()]
        return pa.array(values, type_)

    return stored


def coded(array: pa.Array) -> pa.Array:
    return array.dictionary_encode()


def fixed(array: pa.Array) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(array.flatten(), 3)


def as_view(array: pa.Array) -> pa.Array:
    lengths = array.value_lengths().to_numpy()
    starts = (np.cumsum(lengths) - lengths).astype(np.int32)
    return pa.ListViewArray.from_arrays(starts, lengths, array.flatten())


def list_of_decimals(array: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(array.offsets, decimals(pa.decimal128(9, 2))(array.values))


def list_of_integers(array: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(array.offsets, decimals(pa.decimal128(38, 0))(array.values))


WHOLE = [decimals(pa.decimal128(38, 0)), decimals(pa.decimal256(50, 0)), coded]
FLOATS = [
    cast(pa.float16()),
    cast(pa.float32()),
    decimals(pa.decimal128(20, 4)),
    decimals(pa.decimal64(10, 2)),
    coded,
]
WORDS = [
    cast(pa.string_view()),
    cast(pa.large_string()),
    cast(pa.binary_view()),
    coded,
    lambda array: pa.DictionaryArray.from_arrays(
        array.dictionary_encode().indices,
        pa.array(["a", "b"], pa.string_view())
        if array[0].as_py() == "a"
        else pa.array(["b", "a"], pa.string_view()),
    ),
]
FORMS: dict[str, list[Callable[[pa.Array], pa.Array]]] = {
    "s": FLOATS,
    "w": [*FLOATS[1:], FLOATS[0]],
    "h": FLOATS[2:],
    **{name: [*WHOLE, decimals(pa.decimal32(5, 0))] for name in ("y", "k", "keep", "z")},
    **dict.fromkeys(("big", "id"), WHOLE),
    "g": WORDS,
    "c": [fixed, as_view, list_of_decimals, cast(pa.list_(pa.float16()))],
    "t": [as_view, list_of_integers],
}


@pytest.fixture(scope="module")
def expected() -> bytes:
    return report_bytes(evaluate(pa.table(GOOD), PLAN).report)


@pytest.mark.parametrize("number", range(5))
def test_columns_of_other_types_are_the_same_columns(
    tmp_path: Path, expected: bytes, number: int
) -> None:
    stored = {name: forms[number % len(forms)](GOOD[name]) for name, forms in FORMS.items()}
    table = pa.table(stored)
    assert report_bytes(evaluate(table, PLAN).report) == expected
    if pa.types.is_dictionary(stored["g"].type):
        # Arrow does not write views in a dictionary.
        table = table.set_column(table.schema.get_field_index("g"), "g", GOOD["g"])
    write(tmp_path / "a.parquet", table)
    assert report_bytes(evaluate(str(tmp_path / "a.parquet"), PLAN).report) == expected


def test_runs_of_equal_values(expected: bytes) -> None:
    names = ("s", "y", "k", "g", "id", "keep", "w")
    table = pa.table(GOOD | {name: pc.run_end_encode(GOOD[name]) for name in names})
    assert report_bytes(evaluate(table, PLAN).report) == expected


def test_integers_of_any_size_are_slices_and_keys_of_their_own(tmp_path: Path) -> None:
    plan = plan_of(PLAIN + "\nslices: [x, {column: x, edges: [6]}]\nconfidence: {key: x}")
    values = [HUGE[i % 5] for i in range(50)]
    stored = pa.array([*map(Decimal, values)], pa.decimal128(38, 0))
    table = pa.table({"s": GOOD["s"][:50], "y": GOOD["y"][:50], "x": stored})
    write(tmp_path / "a.parquet", table, row_group_size=13)
    found = evaluate(str(tmp_path / "a.parquet"), plan)
    assert report_bytes(found.report) == report_bytes(evaluate(table, plan).report)
    rows = {key: entry["examples"] for key, entry in slices_of(found).items()}
    assert rows == {
        None: 50,
        **{("x", "int", value): 10 for value in HUGE},
        ("x", "bucket", "(-inf, 6)"): 20,
        ("x", "bucket", "[6, inf)"): 30,
    }
    words = table.set_column(2, "x", pa.array([*map(str, values)]))
    by_words = evaluate(words, plan_of(PLAIN + "\nconfidence: {key: x}"))
    overall = slices_of(by_words)[None]["metrics"]["average_loss"]
    assert slices_of(found)[None]["metrics"]["average_loss"] == overall


def test_where_looks_for_integers_exactly() -> None:
    values = [2**53, 2**53 + 1, 2**63, 2**64 - 1] * 10
    table = pa.table(
        {
            "s": GOOD["s"][:40],
            "y": GOOD["y"][:40],
            "x": pa.array([*map(Decimal, values)], pa.decimal128(38, 0)),
        }
    )
    for sought in values[:4]:
        plan = plan_of(f"where: [{{column: x, values: [{sought}]}}]\n{PLAIN}")
        assert evaluate(table, plan).report["rows"]["evaluated"] == 10


@pytest.mark.parametrize("where", ["file", "table"])
def test_null_rows_of_lists_of_a_fixed_size_are_bad_rows(tmp_path: Path, where: str) -> None:
    lists = [None if i in (3, 17) else [0.5, i / 4, -1.0] for i in range(40)]
    table = pa.table(
        {"c": pa.array(lists, pa.list_(pa.float64(), 3)), "z": [i % 3 for i in range(40)]}
    )
    source: Any = table
    if where == "file":
        source = str(tmp_path / "a.parquet")
        write(tmp_path / "a.parquet", table)
    for head in (
        "{type: multi_class, n_classes: 3, logits: c, label: z}",
        "{type: binary, logits: {column: c, index: 1}, label: {column: z}}",
    ):
        text = f"heads: {{h: {head}}}\nwhere: [{{column: z, values: [0, 1]}}]"
        with pytest.raises(BadData) as caught:
            evaluate(source, plan_of(text))
        place = "table" if source is table else source
        assert caught.value.problems[1] == f"head 'h': 'c' has no value in 1 row: {place}: row 3"
        report = evaluate(source, plan_of("max_bad_rows: 1\n" + text)).report
        assert report["heads"]["h"]["bad_rows"] == {"null:c": 1}
        assert report["heads"]["h"]["slices"][0]["examples"] == 26


def unknown(content: bytes, name: bytes, field: int = 6, value: int = 77) -> bytes:
    """A file in which a column has an annotation or a type that nobody knows."""
    file = ParquetFile(content)
    (element,) = [element for element in file.schema if element[4][1] == name]
    element[field] = (I32, value)
    if field == 1:
        position = [element[4][1] for element in file.schema[1:]].index(name)
        for group in range(len(file.groups)):
            file.meta(group, position)[1] = (I32, value)
    return file.content()


@pytest.mark.parametrize(("field", "value"), [(6, 77), (6, 21), (1, 9)])
def test_an_unknown_type_matters_where_it_is_read(tmp_path: Path, field: int, value: int) -> None:
    path = tmp_path / "a.parquet"
    write(path, pa.table({"s": [1.0, 2.0], "y": [0, 1], "new": [1, 2]}))
    good = evaluate(str(path), plan_of(PLAIN))
    content = path.read_bytes()
    path.write_bytes(unknown(content, b"new", field, value))
    assert report_bytes(evaluate(str(path), plan_of(PLAIN)).report) == report_bytes(good.report)
    path.write_bytes(unknown(content, b"s", field, value))
    with pytest.raises(ConfigError, match="column 's' is of a type that Arrow does not read"):
        evaluate(str(path), plan_of(PLAIN))
    path.write_bytes(unknown(content, b"new", field, value))
    with pytest.raises(ConfigError, match="column 'new' is of a type that Arrow does not read"):
        evaluate(str(path), plan_of(PLAIN.replace("logits: s", "logits: new")))


class Keys(encryption.KmsClient):
    """Keeps keys as they are."""

    def __init__(self, connection: Any) -> None:
        super().__init__()

    def wrap_key(self, key: bytes, master: str) -> bytes:
        return base64.b64encode(key)

    def unwrap_key(self, wrapped: bytes, master: str) -> bytes:
        return base64.b64decode(wrapped)


def encrypt(path: Path, columns: list[str], *, readable_footer: bool) -> None:
    table = pa.table({"s": np.arange(20.0) - 10, "y": np.arange(20) % 2, "secret": np.arange(20)})
    factory = encryption.CryptoFactory(lambda connection: Keys(connection))
    properties = factory.file_encryption_properties(
        encryption.KmsConnectionConfig(custom_kms_conf={"f": "0" * 16, "c": "1" * 16}),
        encryption.EncryptionConfiguration(
            footer_key="f",
            column_keys={"c": columns},
            plaintext_footer=readable_footer,
            cache_lifetime=datetime.timedelta(minutes=1),
        ),
    )
    with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("columns", [["s"], ["y"], ["s", "y", "secret"]])
@pytest.mark.parametrize("readable_footer", [False, True])
def test_encrypted_columns_are_refused(
    tmp_path: Path, columns: list[str], readable_footer: bool
) -> None:
    path = tmp_path / "a.parquet"
    encrypt(path, columns, readable_footer=readable_footer)
    what = f"column '{columns[0]}' is" if readable_footer else "the file is"
    with pytest.raises(BadData, match=rf"a\.parquet: encrypted: {what} encrypted, and no keys"):
        evaluate(str(path), plan_of(PLAIN))


def test_columns_beside_encrypted_ones_are_read(tmp_path: Path) -> None:
    encrypt(tmp_path / "a.parquet", ["secret"], readable_footer=True)
    assert evaluate(str(tmp_path / "a.parquet"), plan_of(PLAIN)).report["rows"]["read"] == 20


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_text_of_any_encoding(tmp_path: Path, expected: bytes, encoding: str, version: str) -> None:
    write(
        tmp_path / "a.parquet",
        pa.table(GOOD),
        use_dictionary=False,
        column_encoding={"g": encoding},
        data_page_version=version,
    )
    assert report_bytes(evaluate(str(tmp_path / "a.parquet"), PLAN).report) == expected


def test_text_whose_dictionary_grows_too_large(tmp_path: Path) -> None:
    words = [f"{i % 700:05d}" * 20 for i in range(3000)]
    rows = pa.table({"s": np.arange(3000) / 99 - 9, "y": np.arange(3000) % 2, "g": words})
    write(tmp_path / "a.parquet", rows, dictionary_pagesize_limit=2000, write_batch_size=64)
    plan = plan_of(PLAIN + "\nslices: [{column: g, max_slices: 9}]\nconfidence: {key: g}")
    found = evaluate(str(tmp_path / "a.parquet"), plan).report
    assert report_bytes(found) == report_bytes(evaluate(rows, plan).report)


def test_columns_of_a_table_that_nobody_reads_may_be_of_any_type(expected: bytes) -> None:
    views = pa.array([[["x"]]] * ROWS, pa.list_view(pa.list_view(pa.string_view())))
    unions = pa.UnionArray.from_dense(
        pa.array([0] * ROWS, pa.int8()), pa.array(range(ROWS), pa.int32()), [pa.array([1.5] * ROWS)]
    )
    table = pa.table(GOOD | {"views": views, "unions": unions})
    assert report_bytes(evaluate(table, PLAN).report) == expected
    assert math.isfinite(slices_of(evaluate(table, PLAN))[None]["metrics"]["label/mean"]["value"])
