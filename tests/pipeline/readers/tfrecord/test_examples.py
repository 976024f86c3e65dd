"""Tests the reader of tf.train.Example against the protobuf runtime, with good and bad records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import descriptor_pool
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors.faults import DataFault
from pipeline.readers.batches import bytes_of
from pipeline.readers.tfrecord import examples
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example, example_columns, read_examples
from pipeline.readers.tfrecord.message import parse_features
from tests.pipeline.readers.tfrecord.example_records import (
    COLUMNS,
    KINDS,
    NO_FEATURES,
    TYPES,
    Shard,
    Writer,
    assert_equal,
    by_runtime,
    entry,
    feature,
    field,
    list_of,
    lock_step_of_few,
    mutate,
    only_lock_step,
    record,
    without_others,
)

MakeShard = Callable[[Sequence[bytes]], Shard]


@pytest.fixture
def shard(tmp_path: Path) -> MakeShard:
    return lambda records: Shard(tmp_path / "shard", records)


def test_a_record_as_tensorflow_prints_it(shard: MakeShard) -> None:
    content = (
        b"\nR\n\x11\n\x08feature0\x12\x05\x1a\x03\n\x01\x00\n\x11\n\x08feature1\x12\x05\x1a\x03\n\x01\x04"
        b"\n\x14\n\x08feature2\x12\x08\n\x06\n\x04goat\n\x14\n\x08feature3\x12\x08\x12\x06\n\x04[\xd3|?"
    )
    expected = {
        "feature0": [0],
        "feature1": [4],
        "feature2": [b"goat"],
        "feature3": [np.float32(0.9876).item()],
    }
    for copies in (1, 100):  # by the runtime, in lock step
        [batch] = shard([content] * copies).batches(list(expected))
        assert batch.to_pylist() == [expected] * copies
    values = {name: ["goat"] if name == "feature2" else of for name, of in expected.items()}
    assert encode_example(values) == content


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_damaged_records_read_as_by_the_runtime_or_are_refused_as_by_it(
    shard: MakeShard, monkeypatch: pytest.MonkeyPatch, seed: int, few: bool
) -> None:
    if few:
        lock_step_of_few(monkeypatch)
    writer = Writer(seed)
    records = [writer.record() for _ in range(300)]
    records += [mutate(writer.rng, content) for content in records]
    writer.rng.shuffle(records)
    read_by_runtime = [(content, by_runtime(content)) for content in records]
    good = [
        (content, lists)
        for content, lists in read_by_runtime
        if lists is not None
        and all(kind == KINDS.get(name, kind) for name, (kind, _) in lists.items())
    ]
    assert len(good) > 200
    batches = shard([content for content, _ in good]).batches(batch_rows=200)
    assert_equal(list(batches), COLUMNS, [lists for _, lists in good])

    refused = [content for content in records if by_runtime(without_others(content)) is None]
    assert len(refused) > 25
    for content in refused[:25]:
        rows, fault = shard([NO_FEATURES] * 9 + [content] * 9).fault(batch_rows=9)
        assert (rows, fault.reason, fault.row) == (9, "not_an_example", 9)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_plain_records_are_read_in_lock_step(
    shard: MakeShard, monkeypatch: pytest.MonkeyPatch, seed: int, packed: bool
) -> None:
    writer = Writer(seed)
    writer.oddity, writer.packed = 0.0, packed
    names = COLUMNS[:5]
    records = []
    for _ in range(40):
        records += [writer.record(names)] * 10
        writer.rng.shuffle(names)
    expected = [by_runtime(content) for content in records]
    only_lock_step(monkeypatch)
    assert_equal(list(shard(records).batches()), COLUMNS, expected)
    some = ["w", "absent", "country"]
    assert_equal(list(shard(records).batches(some, batch_rows=100)), some, expected)


@pytest.mark.parametrize("most", [1, 3000, 1 << 20])
def test_batches_end_before_they_are_too_large(
    shard: MakeShard, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    records = [
        encode_example({"logits": [float(row)] * (row % 90), "label": [row % 7] * 40})
        for row in range(200)
    ]
    monkeypatch.setattr(examples, "BATCH_BYTES", most)
    monkeypatch.setattr(examples, "_STEP_BYTES", 500)
    batches = list(shard(records).batches(["logits", "label"]))
    assert_equal(batches, ["logits", "label"], [by_runtime(content) for content in records])
    # The step that is one too many is in the batch.
    sizes = [bytes_of(batch.columns) for batch in batches]
    assert max(sizes) <= most + 8 * 500 + 3000
    assert (len(batches) > 9) == (most <= 3000)


def test_long_lists(shard: MakeShard, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        encode_example(
            {
                "logits": np.linspace(-1, 1, 700 + size, dtype=np.float32),
                "label": np.arange(size) * 10**15 - 5,
                "country": [b"y" * 3 * place for place in range(size % 64)],
            }
        )
        for size in range(300, 320)
    ]
    expected = [by_runtime(content) for content in records]
    only_lock_step(monkeypatch)
    lock_step_of_few(monkeypatch)
    assert_equal(list(shard(records).batches()), COLUMNS, expected)


@pytest.mark.parametrize("records", [9, 300])
def test_many_features_and_many_values(shard: MakeShard, records: int) -> None:
    features: dict[str, list] = {f"f{number}": [number] for number in range(100)}
    content = encode_example(features | {"country": [b"%d" % number for number in range(100)]})
    columns = ["f0", "country", "f99"]
    batches = list(shard([content] * records).batches(columns))
    assert_equal(batches, columns, [by_runtime(content)] * records)


@pytest.mark.parametrize("copies", [1, 50])
def test_absent_unset_and_empty(
    shard: MakeShard, monkeypatch: pytest.MonkeyPatch, copies: int
) -> None:
    records = [
        record(entry("label", feature("int64", list_of("int64", [])))),
        record(entry("label", b"")),
        record(entry("w", feature("float", list_of("float", [1.0])))),
        NO_FEATURES,
    ]
    if copies > 1:
        only_lock_step(monkeypatch)
    batches = shard([content for content in records for _ in range(copies)]).batches(
        ["label", "country"]
    )
    [batch] = batches
    assert batch["label"].type == pa.list_(pa.int64())
    assert batch["label"].to_pylist() == [[]] * copies + [None] * 3 * copies
    assert batch["country"].type == pa.null()


@pytest.mark.parametrize("copies", [1, 50])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", None),
        # the last of equal keys
        (record(*(entry("w", feature("float", list_of("float", [v]))) for v in (1, 2))), [2.0]),
        (record(entry("w", feature("float", list_of("float", [1.0]))), entry("w", b"")), None),
        # concatenated messages merge
        (
            record(entry("w", feature("float", list_of("float", [1.0])))) + record(entry("v", b"")),
            [1.0],
        ),
        # an entry with an unknown field is dropped whole, also from concatenated messages
        (record(entry("w", b"") + field(1, field(1, b"w") + field(3, b"u"))), None),
        (
            record(entry("w", feature("float", list_of("float", [1.0]))))
            + record(field(1, field(1, b"w") + field(2, b"") + field(3, b"u"))),
            [1.0],
        ),
        (record(entry("w", feature("int64", b"") + feature("float", b""))), []),
        # field 128, unknown, whose tag ends like that of a number
        (record(entry("w", feature("int64", b"\x80\x08\x05"))), []),
    ],
)
def test_known_traps(shard: MakeShard, content: bytes, expected: list | None, copies: int) -> None:
    [batch] = shard([content] * copies).batches(["w"])
    assert batch["w"].to_pylist() == [expected] * copies


LONG = COLUMNS[-1]


@pytest.mark.parametrize("copies", [1, 50])
@pytest.mark.parametrize(
    "content",
    [
        b"no example",
        record(b"\x02\x00"),  # field number 0
        record(entry("w", b"\x02\x00")),
        record(field(1, field(1, b"\xff") + field(2, b""))),  # a key that is not UTF-8
        record(entry("w", feature("float", field(1, b"123")))),  # not whole floats
        record(entry("w", feature("int64", field(1, b"\x80")))),  # not a whole varint
        # of equal keys, the first is broken
        record(entry("w", feature("float", b"\x0d")), entry("w", feature("float", b""))),
        # inner sizes that fit together, but not the size of the record
        record(entry("w", feature("float", field(1, bytes(8))))[:-4]),
        record(entry(LONG, feature("int64", field(1, b"\x01")))[:12]),
    ],
)
def test_what_the_runtime_refuses_is_a_fault(shard: MakeShard, content: bytes, copies: int) -> None:
    plain = record(entry(LONG, feature("int64", field(1, b"\x01"))))
    records = [plain] * 60 + [content] * copies
    rows, fault = shard(records).fault(["w", LONG], batch_rows=55)
    assert (rows, fault.path, fault.reason, fault.row) == (55, "shard", "not_an_example", 60)
    assert fault.offset == 60 * (16 + len(plain))


def test_bodies_of_features_not_asked_for_are_not_read(shard: MakeShard) -> None:
    broken = entry("other", feature("float", field(1, b"123")))
    content = record(broken, entry("w", feature("float", list_of("float", [1.0]))))
    assert by_runtime(content) is None
    [batch] = shard([content] * 50).batches(["w"])
    assert batch["w"].to_pylist() == [[1.0]] * 50


def with_kinds(*kinds: str) -> list[bytes]:
    values = {"float": [1.0], "int64": [1], "bytes": [b"1"]}
    return [record(entry("x", feature(kind, list_of(kind, values[kind])))) for kind in kinds]


@pytest.mark.parametrize("copies", [1, 20])
@pytest.mark.parametrize("batch_rows", [3, 25, 1000])
def test_mixed_kinds(shard: MakeShard, copies: int, batch_rows: int) -> None:
    kinds = ["int64"] * copies + ["float"] * copies + ["bytes"] * copies
    _, fault = shard([NO_FEATURES, *with_kinds(*kinds)]).fault(["x"], batch_rows=batch_rows)
    assert (fault.reason, fault.row) == ("mixed_feature_kinds", copies + 1)
    assert "feature 'x' is float_list here and int64_list in row 1" in fault.detail


def test_the_first_of_two_columns_with_mixed_kinds(shard: MakeShard) -> None:
    label, w = entry("label", feature("int64", b"")), entry("w", feature("int64", b""))
    float_label = entry("label", feature("float", b""))
    records = [record(label)] * 20 + [record(entry("w", feature("float", b"")))]
    records += [record(w)] * 20 + [record(float_label, w)]
    _, fault = shard(records).fault(["label", "w"])
    assert (fault.row, "'w'" in fault.detail) == (21, True)
    _, fault = shard([record(label), *records[20:]]).fault(["w", "label"])
    assert (fault.row, "'w'" in fault.detail) == (2, True)


def test_a_record_refused_comes_before_kinds_mixed_later(shard: MakeShard) -> None:
    later = [b"no example", *with_kinds("bytes") * 20]
    _, fault = shard(with_kinds("int64") * 20 + later).fault(["x"], batch_rows=20)
    assert (fault.reason, fault.row) == ("not_an_example", 20)
    broken = record(entry("x", feature("bytes", b"\x0a")))
    _, fault = shard(with_kinds("int64") * 20 + [broken] * 20).fault(["x"])
    assert (fault.reason, fault.row) == ("not_an_example", 20)


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(1, 30)), st.integers(1, 40), st.integers(1, 2000))
def test_the_first_fault_is_reported_however_the_file_is_cut(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], batch_rows: int, block_bytes: int
) -> None:
    foreign, mixed, corrupt = order[:3]
    records = with_kinds("float") * 30
    records[foreign] = b"no example"
    [records[mixed]] = with_kinds("bytes")
    path = tmp_path_factory.mktemp("shards") / "shard"
    shard = Shard(path, records)
    content = bytearray(path.read_bytes())
    content[sum(16 + len(content) for content in records[: corrupt + 1]) - 5] ^= 1
    path.write_bytes(content)
    _, fault = shard.fault(["x"], batch_rows=batch_rows, block_bytes=block_bytes)
    reasons = {
        foreign: "not_an_example",
        mixed: "mixed_feature_kinds",
        corrupt: "corrupt_record",
    }
    assert (fault.row, fault.reason) == min(reasons.items())
    assert fault.offset == sum(16 + len(content) for content in records[: fault.row])


@pytest.mark.parametrize("form", [None, "gzip"])
@pytest.mark.parametrize(
    ("batch_rows", "block_bytes"), [(1, 1 << 20), (1000, 100), (7, 3000), (30, 9000)]
)
def test_rows_do_not_depend_on_batches_and_blocks(
    tmp_path: Path, batch_rows: int, block_bytes: int, form: None
) -> None:
    writer = Writer(3)
    writer.oddity = 0.0
    records = [writer.record() for _ in range(100)]
    path = tmp_path / "shard"
    write_records(path, records, form)
    sizes = {"batch_rows": batch_rows, "block_bytes": block_bytes}
    with path.open("rb") as stream:
        read = read_examples(stream, "shard", COLUMNS, compression=form, **sizes)
        batches = [batch for batch, _ in read]
    assert all(0 < batch.num_rows <= batch_rows for batch in batches)
    assert_equal(batches, COLUMNS, [by_runtime(content) for content in records])


def test_rows_are_counted_where_no_column_is_asked_for(shard: MakeShard) -> None:
    batches = shard([NO_FEATURES] * 50).batches([], batch_rows=20)
    assert [batch.num_rows for batch in batches] == [20, 20, 10]


def test_arguments_out_of_range(shard: MakeShard) -> None:
    with pytest.raises(ValueError, match="once"):
        list(shard([NO_FEATURES]).batches(["w", "w"]))
    with pytest.raises(ValueError, match="at least 1"):
        list(shard([NO_FEATURES]).batches(["w"], batch_rows=0))


def columns_of(records: Sequence[bytes], path: Path, **options: int) -> dict[str, pa.DataType]:
    write_records(path, records)
    with path.open("rb") as stream:
        return example_columns(stream, "shard", **options)


def test_columns_of_a_file(tmp_path: Path) -> None:
    records = [
        record(entry("b", b""), entry("a", b"")),
        *with_kinds("float"),
        record(entry("b", feature("bytes", b""))),
        *with_kinds("int64"),
    ]
    path = tmp_path / "a"
    columns = columns_of(records[:3], path)
    assert list(columns.items()) == [
        ("a", pa.null()),
        ("b", TYPES["bytes"]),
        ("x", TYPES["float"]),
    ]
    assert columns_of(records, path, max_records=3) == columns
    with pytest.raises(DataFault, match=r"row 3.*int64_list here and float_list in row 1"):
        columns_of(records, path)
    with pytest.raises(DataFault, match=r"row 1.*not_an_example"):
        columns_of([b"", b"no example"], path)
    assert columns_of([], path) == {}


NUMBERS = st.floats(width=32, allow_nan=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=9),
        st.lists(NUMBERS, min_size=1) | st.lists(INTEGERS, min_size=1) | st.lists(st.binary()),
        max_size=5,
    )
)
def test_encoded_features_are_what_the_runtime_reads(features: dict[str, list]) -> None:
    content = encode_example(features)
    assert {name: values for name, (_, values) in by_runtime(content).items()} == {
        name: values for name, values in features.items() if values
    }
    assert encode_example(dict(reversed(features.items()))) == content
    assert set(parse_features(content)) == set(features)


def test_encoding_of_numpy_numbers_and_text() -> None:
    content = encode_example(
        {"a": np.float32([1.5, 2]), "b": np.int32([-1]), "c": ["ü", b"\xff"], "d": [1, 2.5]}
    )
    assert by_runtime(content) == {
        "a": ("float", [1.5, 2.0]),
        "b": ("int64", [-1]),
        "c": ("bytes", ["ü".encode(), b"\xff"]),
        "d": ("float", [1.0, 2.5]),
    }


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ("text", TypeError),
        (["a", 1], TypeError),
        ([None], TypeError),
        ([2**63], ValueError),
        ([1e39], ValueError),
    ],
)
def test_values_that_cannot_be_encoded(values: list, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode_example({"x": values})


def test_the_message_is_not_in_the_default_pool() -> None:
    encode_example({})
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("tensorflow.Example")
