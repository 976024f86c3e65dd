"""Broken inputs, one of each kind, made from a seed, and what has to be said of each."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.readers.crc32c import masked_crc32c_many
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example
from tests.faults.parquet_files import ParquetFile

ROWS = 60
OK, CONFIG, DATA = 0, 2, 4
HEAD = "heads: {h: {type: binary, logits: s, label: y, weight: w}}"
PROBABILITY = "heads: {h: {type: binary, probability: p, label: y}}"
WORDS = "heads: {h: {type: binary, logits: s, label: {column: g, vocabulary: [a, b]}}}"
CLASSES = "heads: {h: {type: multi_class, n_classes: 3, logits: c, label: k}}"
LABELS = "heads: {h: {type: multi_label, n_classes: 3, logits: c, label: {column: t, form: ids}}}"

Make = Callable[[Path, np.random.Generator], None]


@dataclass(frozen=True)
class Fault:
    """One kind of broken input.

    Attributes:
        name: what is wrong.
        make: writes the files.
        config: the configuration without its input.
        exit: the exit code.
        said: regular expressions, all of which the messages hold.
        inputs: globs below the directory; without any, those of the formats of the files.
        limit_mb: how much more memory than Python and its libraries the run may take, or None.
        report: what a run that goes on reports, by path of keys in data.json; texts are regular
            expressions.
        meanwhile: what happens to the files when they have been listed, before rows are read.
        refused: the names of files and directories that nobody may read.
        beam: whether the run is one of Beam. One fault of each kind is; the others go through the
            same steps without its runner.
    """

    name: str
    make: Make
    said: tuple[str, ...] = ()
    config: str = HEAD
    exit: int = DATA
    inputs: tuple[str, ...] = ()
    limit_mb: int | None = None
    report: dict[str, Any] = field(default_factory=dict)
    meanwhile: Callable[[Path], object] | None = None
    refused: tuple[str, ...] = ()
    beam: bool = False


FAULTS: list[Fault] = []


def fault(name: str, *said: str, **more: Any) -> Callable[[Make], Make]:
    """Registers what a function makes as a fault."""

    def register(make: Make) -> Make:
        FAULTS.append(Fault(name, make, said, **more))
        return make

    return register


def columns(rng: np.random.Generator, rows: int = ROWS) -> dict[str, list[Any]]:
    """Good rows."""
    s = rng.normal(size=rows).astype(np.float32)
    return {
        "s": s.tolist(),
        "p": (1 / (1 + np.exp(-s))).tolist(),
        "y": rng.integers(0, 2, rows).tolist(),
        "w": rng.gamma(2, 1, rows).astype(np.float32).tolist(),
        "g": rng.choice(["a", "b"], rows).tolist(),
        "c": rng.normal(size=(rows, 3)).tolist(),
        "k": rng.integers(0, 3, rows).tolist(),
        "t": [[int(i)] for i in rng.integers(0, 3, rows)],
    }


def parquet(path: Path, data: dict[str, Any], **options: Any) -> None:
    pq.write_table(pa.table(data), path, **{"write_page_checksum": True, **options})


def spoil(name: str, row: int, value: Any) -> Make:
    """Good files, and one with a value that is not good."""

    def make(place: Path, rng: np.random.Generator) -> None:
        parquet(place / "a.parquet", columns(rng))
        data = columns(rng)
        data[name][row] = value
        parquet(place / "b.parquet", data)

    return make


def records(rng: np.random.Generator, rows: int = ROWS) -> list[bytes]:
    data = columns(rng, rows)
    return [
        encode_example({name: [data[name][i]] for name in ("s", "y", "w", "g")})
        for i in range(rows)
    ]


def tfrecord(path: Path, payloads: list[bytes]) -> bytes:
    """Writes a file and returns its bytes."""
    write_records(path, payloads, "gzip" if path.suffix == ".gz" else None)
    return path.read_bytes()


def starts(payloads: list[bytes]) -> list[int]:
    """Where each record begins."""
    sizes = np.array([len(payload) + 16 for payload in payloads])
    return (np.cumsum(sizes) - sizes).tolist()


def damaged(row: int, at: int, name: str = "b.tfrecord") -> Make:
    """A TFRecord file with a flipped bit in one record, counted from the record's first byte."""

    def make(place: Path, rng: np.random.Generator) -> None:
        payloads = records(rng)
        content = bytearray(tfrecord(place / name, payloads))
        content[starts(payloads)[row] + at] ^= 4
        (place / name).write_bytes(content)

    return make


# --- lost and damaged files ---------------------------------------------------------------------


@fault("gzip cut short", r"b\.tfrecord\.gz.*truncated.*copy it again", beam=True)
def _(place: Path, rng: np.random.Generator) -> None:
    content = tfrecord(place / "b.tfrecord.gz", records(rng))
    (place / "b.tfrecord.gz").write_bytes(content[:-20])


@fault("gzip without its end marker", r"b\.tfrecord\.gz.*truncated")
def _(place: Path, rng: np.random.Generator) -> None:
    content = tfrecord(place / "b.tfrecord.gz", records(rng))
    (place / "b.tfrecord.gz").write_bytes(content[:-8])


@fault("rubbish after gzip", r"b\.tfrecord\.gz.*corrupt_gzip")
def _(place: Path, rng: np.random.Generator) -> None:
    content = tfrecord(place / "b.tfrecord.gz", records(rng))
    (place / "b.tfrecord.gz").write_bytes(content + b"rubbish")


@fault("gzip under another name", exit=OK, report={"rows.read": ROWS})
def _(place: Path, rng: np.random.Generator) -> None:
    content = tfrecord(place / "b.tfrecord.gz", records(rng))
    (place / "b.tfrecord.gz").unlink()
    (place / "b.tfrecord").write_bytes(content)


@fault("TFRecord cut within a record", r"b\.tfrecord: row 59, byte \d+: truncated")
def _(place: Path, rng: np.random.Generator) -> None:
    content = tfrecord(place / "b.tfrecord", records(rng))
    (place / "b.tfrecord").write_bytes(content[:-5])


@fault(
    "TFRecord cut between records, told by a manifest",
    r"b\.tfrecord.*60.*59|b\.tfrecord.*59.*60",
    config=f"input_manifest: {{place}}/list.csv\n{HEAD}",
)
def _(place: Path, rng: np.random.Generator) -> None:
    payloads = records(rng)
    content = tfrecord(place / "b.tfrecord", payloads)
    (place / "b.tfrecord").write_bytes(content[: starts(payloads)[-1]])
    (place / "list.csv").write_text("path,rows\nb.tfrecord,60\n")


@fault(
    "file of a manifest is gone",
    r"c\.parquet",
    config=f"input_manifest: {{place}}/list.csv\n{HEAD}",
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng))
    (place / "list.csv").write_text("path\nb.parquet\nc.parquet\n")


@fault(
    "file of another content than the manifest says",
    r"b\.parquet: has the CRC32C [0-9a-f]{8}, and the manifest lists 00000000",
    config=f"input_manifest: {{place}}/list.csv\n{HEAD}",
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng))
    (place / "list.csv").write_text("path,crc32c\nb.parquet,00000000\n")


@fault(
    "a shard is missing",
    r"part-\*-of-3\.parquet: 1 of 3 files is missing: 1; .*allow_missing_shards",
)
def _(place: Path, rng: np.random.Generator) -> None:
    for number in (0, 2):
        parquet(place / f"part-{number:05}-of-00003.parquet", columns(rng))


@fault(
    "a shard is missing, which is allowed",
    config=f"allow_missing_shards: true\n{HEAD}",
    exit=OK,
    beam=True,
)
def _(place: Path, rng: np.random.Generator) -> None:
    for number in (0, 2):
        parquet(place / f"part-{number:05}-of-00003.parquet", columns(rng))


@fault("shards of two runs", r"part-.*files of several totals: 2 of 2, 3 of 3")
def _(place: Path, rng: np.random.Generator) -> None:
    for total in (2, 3):
        for number in range(total):
            parquet(place / f"part-{number:05}-of-{total:05}.parquet", columns(rng))


@fault("file of no bytes", r"b\.parquet", r"allow_empty_shards")
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    (place / "b.parquet").touch()


@fault("file of no bytes, which is allowed", config=f"allow_empty_shards: true\n{HEAD}", exit=OK)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    (place / "b.parquet").touch()


@fault("Parquet cut short", r"b\.parquet.*corrupt_parquet")
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    parquet(place / "b.parquet", columns(rng))
    content = (place / "b.parquet").read_bytes()
    (place / "b.parquet").write_bytes(content[: len(content) // 2])


@fault(
    "flipped bit in a Parquet page", r"b\.parquet.*corrupt_parquet.*(crc|checksum|CRC)", beam=True
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    data = columns(rng)
    parquet(place / "b.parquet", data, compression="none", use_dictionary=False)
    content = bytearray((place / "b.parquet").read_bytes())
    content[content.index(struct.pack("<2d", *data["s"][20:22]))] ^= 1
    (place / "b.parquet").write_bytes(content)


@fault(
    "Parquet without checksums is said to be",
    exit=OK,
    report={"shards.0.page_checksums": False, "shards.1.page_checksums": True},
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng), write_page_checksum=False)
    parquet(place / "b.parquet", columns(rng))


for _what, _at in (("length", 2), ("data", 20)):
    fault(
        f"flipped bit in the {_what} of a record", r"b\.tfrecord: row 7, byte \d+: corrupt_record"
    )(damaged(7, _at))
fault(
    "flipped bit in the data of a record, left out",
    config=f"on_corrupt: skip_record\n{HEAD}",
    exit=OK,
    report={"rows.read": ROWS - 1, "shards.0.lost.records": 1, "shards.0.lost.first.row": 7},
    beam=True,
)(damaged(7, 20))
fault(
    "flipped bit in the length of a record, though data may be left out",
    r"b\.tfrecord: row 7, byte \d+: corrupt_record",
    config=f"on_corrupt: skip_record\n{HEAD}",
)(damaged(7, 2))
fault(
    "flipped bit in the length of a record, the rest left out",
    config=f"on_corrupt: skip_rest\n{HEAD}",
    exit=OK,
    report={"rows.read": 7, "shards.0.lost.rest": True},
)(damaged(7, 2))


@fault(
    "a Parquet row group that is listed twice", r"b\.parquet: row group 1: .*'s': .*within those"
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    parquet(place / "b.parquet", columns(rng), row_group_size=ROWS // 2)
    file = ParquetFile((place / "b.parquet").read_bytes())
    file.groups[1] = file.copy().groups[0]
    (place / "b.parquet").write_bytes(file.content())


@fault("a Parquet page of more rows than its row group has", r"b\.parquet: row group 1: .*'y': its")
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    options = {"row_group_size": ROWS // 2, "compression": "none", "use_dictionary": False}
    parquet(place / "b.parquet", columns(rng), **options)
    file = ParquetFile((place / "b.parquet").read_bytes())
    for column, name in enumerate(columns(rng)):
        if name == "y":
            file.put_pages(1, column, file.pages(1, column) * 2)
    (place / "b.parquet").write_bytes(file.content())


# --- files that do not fit ----------------------------------------------------------------------


@fault("column missing in one file", r"'w'", r"b\.parquet", beam=True)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    data = columns(rng)
    del data["w"]
    parquet(place / "b.parquet", data)


@fault("column of another type in one file", r"'y'", r"b\.parquet")
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    parquet(place / "b.parquet", columns(rng) | {"y": ["no"] * ROWS})


@fault("column of structs", r"'s'.*struct", exit=CONFIG)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng) | {"s": [{"x": 1.0}] * ROWS})


@fault("no file", r"no file matches")
def _(place: Path, rng: np.random.Generator) -> None:
    (place / "other.txt").touch()


@fault("no rows", r"there are no rows", beam=True)
def _(place: Path, rng: np.random.Generator) -> None:
    data = {name: pa.array(values) for name, values in columns(rng).items()}
    parquet(place / "b.parquet", {name: values[:0] for name, values in data.items()})


@fault(
    "one file by two globs",
    exit=OK,
    inputs=("*.parquet", "b*"),
    report={"rows.read": ROWS, "notes.0": r"b\.parquet is matched by 2 globs"},
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng))


@fault("temporary files beside the data", exit=OK, inputs=("*",), report={"rows.read": ROWS})
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng))
    for name in ("_SUCCESS", ".b.parquet.crc", "_b.parquet", ".c.parquet"):
        (place / name).write_bytes(b"no data")


# --- bad rows -----------------------------------------------------------------------------------

_NAN, _INF = float("nan"), float("inf")
for _name, _column, _value, _said, _config in (
    ("a score is NaN", "s", _NAN, "'s' is NaN or infinite", HEAD),
    ("a score is infinite", "s", -_INF, "'s' is NaN or infinite", HEAD),
    ("a score is missing", "s", None, "'s' has no value", HEAD),
    ("a probability is above 1", "p", 1.5, r"'p' is outside \[0, 1\]", PROBABILITY),
    ("a label is no class", "y", 2, "'y' is outside the range", HEAD),
    ("a label is missing", "y", None, "'y' has no value", HEAD),
    ("a label is not in the vocabulary", "g", "c", "'g' is not in the vocabulary", WORDS),
    ("a class id is too large", "k", 3, "'k' is outside the range", CLASSES),
    ("a class id of several is too large", "t", [1, 3], "'t' is not a class id", LABELS),
    ("a weight is negative", "w", -0.5, "'w' is negative", HEAD),
    ("a weight is NaN", "w", _NAN, "'w' is NaN or infinite", HEAD),
    ("a weight is infinite", "w", _INF, "'w' is NaN or infinite", HEAD),
    ("scores of too few classes", "c", [0.5, 1.0], "'c' is a list of the wrong length", CLASSES),
    ("scores of no class", "c", [], "'c' is a list of the wrong length", CLASSES),
):
    fault(
        _name,
        rf"head 'h': {_said}.* in 1 row: .*b\.parquet: row 17\n    what to do: ",
        config=_config,
        beam=_name in ("a score is NaN", "scores of no class"),
    )(spoil(_column, 17, _value))


@fault(
    "rows without scores in lists of a fixed size, within the limits",
    config=f"max_bad_rows: 2\n{CLASSES}",
    exit=OK,
    report={"bad_rows.0.rows": 2, "bad_rows.0.reason": "null:c", "first_bad_rows.1.row": 17},
)
def _(place: Path, rng: np.random.Generator) -> None:
    data = columns(rng)
    data["c"][3] = data["c"][17] = None
    parquet(place / "b.parquet", data | {"c": pa.array(data["c"], pa.list_(pa.float64(), 3))})


fault(
    "a bad row within the limits",
    config=f"max_bad_rows: 1\n{HEAD}",
    exit=OK,
    report={"bad_rows.0.rows": 1, "first_bad_rows.0.row": 17},
    beam=True,
)(spoil("w", 17, -1.0))


@fault("every row is bad", r"and none is left", config=f"max_bad_fraction: 1\n{HEAD}", beam=True)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng) | {"w": [-1.0] * ROWS})


@fault("labels of one class alone", exit=OK)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng) | {"y": [1] * ROWS})


# --- memory -------------------------------------------------------------------------------------


@fault("a record that says it has a tebibyte", r"b\.tfrecord: row 3, byte \d+", limit_mb=500)
def _(place: Path, rng: np.random.Generator) -> None:
    content = tfrecord(place / "b.tfrecord", records(rng, 3))
    length = struct.pack("<Q", 1 << 40)
    crc = masked_crc32c_many(np.frombuffer(length, np.uint8), np.array([0]), np.array([8]))
    (place / "b.tfrecord").write_bytes(content + length + struct.pack("<I", int(crc[0])) + b"few")


@fault("a record above the limit", r"b\.tfrecord: row 0.*max_record_bytes", limit_mb=500)
def _(place: Path, rng: np.random.Generator) -> None:
    write_records(place / "b.tfrecord", [bytes(65 << 20)])


@fault("a gzip bomb", r"b\.tfrecord\.gz.*max_gzip_ratio", limit_mb=500)
def _(place: Path, rng: np.random.Generator) -> None:
    tfrecord(place / "a.tfrecord", records(rng, 3))
    block = gzip.compress((place / "a.tfrecord").read_bytes() * 100_000, 9)
    (place / "b.tfrecord.gz").write_bytes(block * 4)


@fault(
    "rows of a thousand numbers in a single row group",
    config="heads: {h: {type: multi_class, n_classes: 1000, logits: c, label: k}}",
    exit=OK,
    limit_mb=700,
)
def _(place: Path, rng: np.random.Generator) -> None:
    rows, width = 24_000, 1000
    scores = pa.array(np.tile(rng.normal(size=1 << 20).astype(np.float32), 23)[: rows * width])
    lists = pa.ListArray.from_arrays(np.arange(0, rows * width + 1, width, np.int32), scores)
    data = {"c": lists, "k": np.arange(rows) % width}
    parquet(place / "b.parquet", data, use_dictionary=False, row_group_size=rows)


@fault(
    "more distinct values than may be counted",
    r"column 'g' has more than 1,000 distinct",
    config=f"max_distinct: 1000\nslices: [g]\n{HEAD}",
    beam=True,
    limit_mb=1500,
)
def _(place: Path, rng: np.random.Generator) -> None:
    rows = 200_000
    data = columns(rng, rows) | {"g": [f"user {i}" for i in range(rows)]}
    parquet(place / "b.parquet", {name: data[name] for name in ("s", "y", "w", "g")})


# --- text ---------------------------------------------------------------------------------------


@fault("a slice that is no UTF-8", config=f"slices: [g]\n{HEAD}", exit=OK)
def _(place: Path, rng: np.random.Generator) -> None:
    data = columns(rng)
    parquet(place / "b.parquet", data | {"g": pa.array([b"\xff\xfe", b"ok"] * (ROWS // 2))})


@fault(
    "a column named in bytes that are no UTF-8 in a message",
    r"'no\w*'",
    exit=CONFIG,
    config=HEAD.replace("label: y", "label: nothing"),
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng))


@fault(
    "a configuration with aliases",
    r"alias|anchor",
    config=f"where: &a [{{column: g, values: [a]}}]\nslices: *a\n{HEAD}",
    exit=CONFIG,
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng))


@fault(
    "a configuration that says a key twice",
    r"twice|duplicate|again",
    exit=CONFIG,
    config=f"min_slice_size: 1\nmin_slice_size: 2\n{HEAD}",
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng))


@fault(
    "a configuration of a thousand brackets",
    r"deep|nested|levels",
    exit=CONFIG,
    config="slices: " + "[" * 1000 + "]" * 1000 + f"\n{HEAD}",
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng))
