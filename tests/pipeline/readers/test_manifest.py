"""Tests manifests: how they are read, malformed manifests, and differences from the files."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.faults import DataFault
from pipeline.errors.problems import ConfigError
from pipeline.readers.crc32c import crc32c_many
from pipeline.readers.file_list import list_local
from pipeline.readers.manifest import (
    check_manifest,
    crc32c_of,
    manifest_differences,
    read_manifest,
)
from pipeline.readers.read import inspect
from pipeline.readers.shards import Shard
from pipeline.readers.storage import open_local
from pipeline.readers.tfrecord.blocks import write_records
from tests.pipeline.tables import law, write


def whole_crc(content: bytes) -> int:
    data = np.frombuffer(content, np.uint8)
    return int(crc32c_many(data, np.array([0]), np.array([len(data)]))[0])


@pytest.fixture
def files(tmp_path: Path) -> list[Shard]:
    """Returns the Parquet files a and b, of 3 and 2 rows, and the TFRecord file c, of 4 records."""
    write(tmp_path / "d/a.parquet", pa.table({"x": [1, 2, 3]}))
    write(tmp_path / "d/b.parquet", pa.table({"x": [1, 2]}))
    write_records(str(tmp_path / "d/c.tfrecord"), [b"abc"] * 4)
    return list(list_local([str(tmp_path / "d/*")]))


def compared(
    tmp_path: Path, shards: list[Shard], text: str, name: str = "m.csv"
) -> tuple[list[str], dict[str, int | None]]:
    """Returns the differences, names and sizes first; and the listed row count of each file."""
    source = tmp_path / name
    source.write_bytes(text.encode("utf-8"))
    problems, listed = check_manifest(read_manifest(str(source), open_local), shards)
    assert [replace(shard, rows=None, crc32c=None) for shard in listed] == shards
    for shard in listed:
        if shard.bytes:
            problems += manifest_differences(shard, rows_of(shard), open_local)
    place = f"{tmp_path}/"
    return (
        [problem.replace(place, "") for problem in problems],
        {shard.path.removeprefix(place): shard.rows for shard in listed},
    )


def rows_of(shard: Shard) -> int | None:
    try:
        return inspect(shard, open_local).rows
    except DataFault:
        return None


def full(files: list[Shard], tmp_path: Path) -> str:
    lines = ["path,bytes,rows,crc32c"]
    for shard, rows in zip(files, (3, 2, 4), strict=True):
        crc = whole_crc(Path(shard.path).read_bytes())
        path = shard.path.removeprefix(f"{tmp_path}/")
        lines.append(f"{path},{shard.bytes},{rows},{crc:08x}")
    return "\n".join(lines) + "\n"


def test_files_that_agree(tmp_path: Path, files: list[Shard]) -> None:
    rows = {"d/a.parquet": 3, "d/b.parquet": 2, "d/c.tfrecord": 4}
    text = full(files, tmp_path)
    assert compared(tmp_path, files, text) == ([], rows)
    head, *lines = text.splitlines()
    lines = [line.rpartition(",")[0] + "," + line.rpartition(",")[2].upper() for line in lines]
    for variant in (
        "\ufeff" + text,
        text.replace("\n", "\r\n"),
        "\n".join([head, "", *reversed(lines)]),
        text.replace("d/a.parquet", '"./d//a.parquet"'),
        text.replace("d/b.parquet", str(tmp_path / "d/b.parquet")),
        text.replace("d/b.parquet", "x/../d/b.parquet").replace("x/", "d/"),
    ):
        assert compared(tmp_path, files, variant) == ([], rows)


def test_any_columns_in_any_order(tmp_path: Path, files: list[Shard]) -> None:
    paths = ["a.parquet", "b.parquet", "c.tfrecord"]
    assert compared(tmp_path, files, "path\n" + "\n".join(paths), "d/m.csv") == (
        [],
        dict.fromkeys(["d/a.parquet", "d/b.parquet", "d/c.tfrecord"]),
    )
    text = "rows,path\n3,a.parquet\n2,b.parquet\n9,c.tfrecord\n"
    problems, expected = compared(tmp_path, files, text, "d/m.csv")
    # The records of a TFRecord file are not known before they are read.
    assert (problems, expected["d/c.tfrecord"]) == ([], 9)


def test_a_linked_file_is_the_file_of_its_name(tmp_path: Path, files: list[Shard]) -> None:
    (tmp_path / "l.parquet").symlink_to("d/a.parquet")
    (tmp_path / "e").symlink_to("d")
    text = "path,rows\nl.parquet,3\ne/b.parquet,2\nd/c.tfrecord,4"
    assert compared(tmp_path, files, text)[0] == []
    assert compared(tmp_path, files, text)[1].keys() == {
        "d/a.parquet",
        "d/b.parquet",
        "d/c.tfrecord",
    }


def test_every_mismatch_is_told(tmp_path: Path, files: list[Shard]) -> None:
    (tmp_path / "d/c.tfrecord").write_bytes(b"xxxx")
    text = (
        "path,bytes,rows,crc32c\n"
        f"d/a.parquet,7,3,00000000\n"
        f"d/b.parquet,{files[1].bytes},1200,00000001\n"
        "d/z.parquet,1,1,00000000\n"
    )
    crcs = [whole_crc(Path(shard.path).read_bytes()) for shard in files[:2]]
    problems, expected = compared(tmp_path, files, text)
    assert problems == [
        "1 file is in the manifest m.csv and not in the input: d/z.parquet",
        "1 file is in the input and not in the manifest m.csv: d/c.tfrecord",
        f"d/a.parquet: has {files[0].bytes:,} bytes, and the manifest lists 7",
        f"d/a.parquet: has the CRC32C {crcs[0]:08x}, and the manifest lists 00000000",
        "d/b.parquet: has 2 rows, and the manifest lists 1,200",
        f"d/b.parquet: has the CRC32C {crcs[1]:08x}, and the manifest lists 00000001",
    ]
    assert expected == {"d/a.parquet": 3, "d/b.parquet": 1200, "d/c.tfrecord": None}


def test_a_flipped_bit_is_found(tmp_path: Path, files: list[Shard]) -> None:
    text = full(files, tmp_path)
    path = Path(files[2].path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    files = list(list_local([str(tmp_path / "d/*")]))
    (problem,), _ = compared(tmp_path, files, text)
    assert problem.startswith("d/c.tfrecord: has the CRC32C ")
    # This also works if the manifest does not list the size.
    only = "\n".join(",".join(line.split(",")[::3]) for line in text.split())
    assert compared(tmp_path, files, only)[0] == [problem]


def test_files_that_cannot_be_read(tmp_path: Path, files: list[Shard]) -> None:
    text = full(files, tmp_path)
    size = files[0].bytes
    Path(files[0].path).write_bytes(b"x" * size)
    files = list(list_local([str(tmp_path / "d/*")]))
    Path(files[1].path).write_bytes(b"changed since")
    Path(files[2].path).unlink()
    # The data report tells that files cannot be read, or are not those that were listed.
    (a,) = compared(tmp_path, files, text)[0]
    assert a.startswith("d/a.parquet: has the CRC32C ")


def test_files_of_no_bytes_have_no_rows(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.tfrecord"):
        (tmp_path / name).write_bytes(b"")
    shards = list(list_local([str(tmp_path / "*")]))
    text = "path,bytes,rows,crc32c\na.parquet,0,0,00000000\nb.tfrecord,0,{},00000000"
    assert compared(tmp_path, shards, text.format(0), "m.csv")[0] == []
    assert compared(tmp_path, shards, text.format(5), "m.csv")[0] == [
        "b.tfrecord: has 0 rows, and the manifest lists 5"
    ]


def test_many_missing_files_are_one_line(tmp_path: Path) -> None:
    text = "path\n" + "\n".join(f"{i:04}.pq" for i in range(1500))
    shards = [Shard(str(tmp_path / f"{i:04}.pq"), 1, "parquet") for i in range(1000, 2500)]
    missing, extra = compared(tmp_path, shards, text)[0]
    assert missing.startswith("1,000 files are in the manifest m.csv and not in the input: 0000.pq")
    assert extra.endswith("1519.pq, ... and 980 more")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "there is no column 'path'; begin with a header such as path,bytes,rows,crc32c"),
        ("\n\nbytes\n", 3, "there is no column 'path'"),
        ("a.parquet,3\n", 1, "unknown column 'a.parquet'"),
        ("path,byte\n", 1, "unknown column 'byte'; did you mean 'bytes'?"),
        ("path, rows\n", 1, "unknown column ' rows'; did you mean 'rows'?"),
        ("path,rows,rows\n", 1, "the column 'rows' comes twice"),
        ("path,rows\na,1\n\nb,x\n", 4, "'rows' must be a whole number, not 'x'"),
        ("path,rows\na,-1\n", 2, "'rows' must be a whole number, not '-1'"),
        ("path,bytes\na,1.0\n", 2, "'bytes' must be a whole number, not '1.0'"),
        ("path,bytes\na,\n", 2, "'bytes' must be a whole number, not ''"),
        ("path,bytes\na,²\n", 2, "'bytes' must be a whole number, not '²'"),
        ("path,bytes\na," + "9" * 5000, 2, "'bytes' must be a whole number, not '999"),
        ("path,crc32c\na,1234567\n", 2, "'crc32c' must be 8 hexadecimal digits, not '1234567'"),
        ("path,crc32c\na,0x345678\n", 2, "'crc32c' must be 8 hexadecimal digits"),
        ("path,rows\na\n", 2, "there must be 2 values, as in the header, not 1"),
        ("path\na,1\n", 2, "there must be 1 values, as in the header, not 2"),
        ("path,rows\n,1\n", 2, "a path is missing"),
        ("path\na\0b\n", 2, "a path is missing"),
        ("path\na\nb\n./a\n", 4, "a is the file of line 2 again; list it once"),
        ('path\n"a\n', 2, "this is no CSV: "),
        ('path\n"a\nb",\n"c"d\n', 2, "there must be 1 values, as in the header, not 2"),
        ("path\n" + "x" * 70_000, 2, "the line is too long"),
    ],
)
def test_malformed_manifests(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(text.encode("utf-8"))
    with pytest.raises(ConfigError) as caught:
        read_manifest(str(path), open_local)
    (problem,) = caught.value.problems
    assert (problem.source, problem.line) == (str(path), line)
    assert message in problem.message.replace(f"{tmp_path}/./a", "a")


def test_a_manifest_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    for content, line in ((b"path\na\n\xe9t\xe9\n", 3), ("path\n".encode("utf-16"), 1)):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=rf"m\.csv:{line}: this is not UTF-8"):
            read_manifest(str(path), open_local)


def test_a_manifest_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "m.csv", tmp_path):
        with pytest.raises(ConfigError) as caught:
            read_manifest(str(path), open_local)
        assert str(caught.value).startswith(f"{path}: the manifest cannot be read: ")


def test_a_manifest_elsewhere() -> None:
    text = b"path\na.pq\n./x//b.pq\n../c.pq\ngs://other/d.pq\n/e.pq\n"
    manifest = read_manifest("gs://b/out/m.csv", lambda path: io.BytesIO(text))
    assert [entry.path for entry in manifest.entries.values()] == [
        "gs://b/out/a.pq",
        "gs://b/out/x/b.pq",
        "gs://b/c.pq",
        "gs://other/d.pq",
        "/e.pq",
    ]
    assert list(manifest.entries)[:4] == [e.path for e in manifest.entries.values()][:4]


class Dripping(io.BytesIO):
    """A stream that gives fewer bytes than it is asked for."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        super().__init__(content)
        self._sizes = sizes

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        return super().read(min(size, self._sizes.pop(0)) if self._sizes else size)


@law
@given(st.binary(max_size=60), st.integers(4, 20), st.lists(st.integers(1, 9), max_size=20))
def test_a_checksum_in_blocks(content: bytes, block: int, sizes: list[int]) -> None:
    assert crc32c_of(Dripping(content, sizes), block) == whole_crc(content)


def test_a_checksum_holds_no_more_than_blocks() -> None:
    asked: list[int] = []

    class Long(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            asked.append(size)
            return b"\0" * size if len(asked) < 4 else b""

    assert crc32c_of(Long()) == whole_crc(b"\0" * (3 * asked[0]))
    assert asked == [4 << 20] * 4
