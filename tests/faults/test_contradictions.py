"""Parquet files that contradict themselves: no row vanishes, doubles or moves without a word."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors.faults import DataFault
from pipeline.readers.read import inspect, read_rows
from pipeline.readers.shards import make_shard
from tests.faults.parquet_files import I32, ParquetFile, add, set_, varint, with_content

ROWS, GROUP = 300, 100
# The positions of the columns in the file.
N, F, W, ID, LIST, UNUSED = range(6)
COLUMNS = ["n", "f", "w", "id", "l"]
BEFORE, WHILE = "examined", "read"


def table(rows: int = ROWS) -> pa.Table:
    floats = [None if i % 7 == 3 else i / 4 for i in range(rows)]
    return pa.table(
        {
            "n": pa.array(range(rows), pa.int64()),
            "f": pa.array(floats, pa.float32()),
            "w": [f"w{i % 3}" for i in range(rows)],
            "id": [f"id-{i}" for i in range(rows)],
            "l": [[float(i)] * (i % 3) for i in range(rows)],
            "unused": np.arange(rows) % 5,
        },
        pa.schema(
            [
                pa.field("n", pa.int64(), nullable=False),
                ("f", pa.float32()),
                ("w", pa.string()),
                ("id", pa.string()),
                ("l", pa.list_(pa.float64())),
                ("unused", pa.int64()),
            ]
        ),
    )


@cache
def content(version: str = "1.0") -> bytes:
    """Three row groups, whose chunks have several pages; only `w` has a dictionary."""
    stream = io.BytesIO()
    pq.write_table(
        table(),
        stream,
        row_group_size=GROUP,
        compression="none",
        use_dictionary=["w"],
        data_page_version=version,
        data_page_size=64,
        write_batch_size=16,
    )
    return stream.getvalue()


def examine(file: bytes) -> None:
    inspect(make_shard("d/a.parquet", len(file)), lambda path: io.BytesIO(file))


def rows_of(file: bytes, columns: list[str] = COLUMNS) -> dict[str, list[Any]]:
    """The values of columns, as they are read in batches of 37 rows."""
    shard = make_shard("d/a.parquet", len(file))
    found: dict[str, list[Any]] = {name: [] for name in columns}
    for item in inspect(shard, lambda path: io.BytesIO(file)).items:
        for rows in read_rows(item, columns, 37, lambda path: io.BytesIO(file)):
            for name in columns:
                found[name] += rows.column(name).to_pylist()
    return found


Change = Callable[[ParquetFile], None]


@dataclass(frozen=True)
class Kind:
    """A kind of contradiction.

    Attributes:
        name: what is wrong.
        change: makes a good file wrong.
        found: when that is found.
        said: a regular expression for the fault.
        version: the version of the pages.
        columns: the columns that are read.
    """

    name: str
    change: Change
    found: str
    said: str
    version: str
    columns: list[str]


KINDS: list[Kind] = []


def kind(
    name: str, found: str, said: str, version: str = "1.0", columns: list[str] = COLUMNS
) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        KINDS.append(Kind(name, change, found, said, version, columns))
        return change

    return register


# --- what the footer shows alone ----------------------------------------------------------------

for _more in (-100, -1, 1, 100):

    @kind(f"{_more:+} rows of the file", BEFORE, r"the footer counts \d+ rows, .* have 300")
    def _(file: ParquetFile, more: int = _more) -> None:
        add(file.footer, 3, more)

    @kind(f"{_more:+} rows of a row group", BEFORE, r"row group 1: .*'n': .* values in \d+ rows")
    def _(file: ParquetFile, more: int = _more) -> None:
        add(file.groups[1], 3, more)

    for _column, _name in ((N, "n"), (F, "f"), (W, "w"), (UNUSED, "unused")):

        @kind(f"{_more:+} values of '{_name}'", BEFORE, rf"row group 2: .*'{_name}': .* 100 rows")
        def _(file: ParquetFile, more: int = _more, column: int = _column) -> None:
            add(file.meta(2, column), 5, more)


@kind("fewer values of lists than rows", BEFORE, r"row group 0: .*'l\.list\.element': .* 99 values")
def _(file: ParquetFile) -> None:
    set_(file.meta(0, LIST), 5, GROUP - 1)


@kind("a row group twice", BEFORE, r"row group 1: .*'n': .* within .* of row group 0")
def _(file: ParquetFile) -> None:
    file.groups[1] = file.copy().groups[0]


@kind("a row group once more", BEFORE, r"the footer counts 300 rows, .* have 400")
def _(file: ParquetFile) -> None:
    file.groups.append(file.copy().groups[0])


@kind("a row group too few", BEFORE, r"the footer counts 300 rows, .* have 200")
def _(file: ParquetFile) -> None:
    del file.groups[1]


@kind("a column too few", BEFORE, r"row group 1: .* has 5 columns, and the schema has 6")
def _(file: ParquetFile) -> None:
    del file.chunks(1)[UNUSED]


@kind("a column twice", BEFORE, r"row group 1: .* has 7 columns, and the schema has 6")
def _(file: ParquetFile) -> None:
    file.chunks(1).append(file.copy().chunks(1)[N])


@kind("columns in another order", BEFORE, r"row group 1: .*'w': .* there is the column 'id'")
def _(file: ParquetFile) -> None:
    chunks = file.chunks(1)
    chunks[W], chunks[ID] = chunks[ID], chunks[W]


@kind("a path that is not in the schema", BEFORE, r"row group 0: .*'n': .* there is the column 'm'")
def _(file: ParquetFile) -> None:
    file.meta(0, N)[3][1][1][0] = b"m"


@kind("a type that is not that of the schema", BEFORE, r"row group 0: .*'n': .* of type 5")
def _(file: ParquetFile) -> None:
    set_(file.meta(0, N), 1, 5)


@kind("a column in the place of another", BEFORE, r"row group 0: .*'w|id': .* within those of")
def _(file: ParquetFile) -> None:
    for field in (7, 9):
        set_(file.meta(0, ID), field, file.meta(0, W)[field][1])


@kind("a column that begins in another", BEFORE, r"row group 0: .*'id': .* within .*column 'w'")
def _(file: ParquetFile) -> None:
    add(file.meta(0, ID), 9, -8)


@kind("a column that reaches into the next", BEFORE, r"row group 0: .*'f': .* within .*column 'n'")
def _(file: ParquetFile) -> None:
    add(file.meta(0, N), 7, 1)


@kind("the last column reaches into the footer", BEFORE, r"row group 2: .*'unused': .* begins at")
def _(file: ParquetFile) -> None:
    add(file.meta(2, UNUSED), 7, 1 << 12)


for _size in (0, -1, -(1 << 40), 1 << 40):

    @kind(f"a column of {_size} bytes", BEFORE, r"row group 1: .*'n': .*its values are at bytes")
    def _(file: ParquetFile, size: int = _size) -> None:
        set_(file.meta(1, N), 7, size)


for _place in (-5, 0, 1 << 50):

    @kind(f"a column at byte {_place}", BEFORE, r"row group 1: .*'n': .*its values are at bytes")
    def _(file: ParquetFile, place: int = _place) -> None:
        set_(file.meta(1, N), 9, place)


@kind("a column in another file", BEFORE, r"row group 1: .*'w': .* another file, 'b\.parquet'")
def _(file: ParquetFile) -> None:
    file.chunks(1)[W][1] = (8, b"b.parquet")


@kind("a column without a place", BEFORE, r"row group 1: .*'f': .* not say where its values are")
def _(file: ParquetFile) -> None:
    del file.meta(1, F)[9]


@kind("a column of which nothing is said", BEFORE, r"row group 1: .*'f': in its place")
def _(file: ParquetFile) -> None:
    del file.chunks(1)[F][3]


@kind("a schema with too many children", BEFORE, r"its schema is no tree")
def _(file: ParquetFile) -> None:
    add(file.schema[0], 5, 1)


@kind("a schema with too few children", BEFORE, r"its schema is no tree")
def _(file: ParquetFile) -> None:
    add(file.schema[0], 5, -1)


@kind("a schema of negative children", BEFORE, r"its schema is no tree")
def _(file: ParquetFile) -> None:
    set_(file.schema[0], 5, -6)


@kind("a schema that is nested without end", BEFORE, r"its schema is no tree")
def _(file: ParquetFile) -> None:
    deeper = {3: (I32, 0), 4: (8, b"x"), 5: (I32, 1)}
    file.schema[1:1] = [deeper] * 5000


@kind("a footer without a schema", BEFORE, r"row group 0: .* the schema has 0")
def _(file: ParquetFile) -> None:
    del file.footer[2]


@kind("no row groups", BEFORE, r"it lists no row groups")
def _(file: ParquetFile) -> None:
    del file.footer[4]


@kind("the beginning is cut off", BEFORE, r"does not begin as a Parquet file does")
def _(file: ParquetFile) -> None:
    file.body = file.body[8:]


@kind("the middle is cut out", BEFORE, r"row group 0: .* the footer begins at byte")
def _(file: ParquetFile) -> None:
    file.body = file.body[:200] + file.body[-200:]


# --- what the pages show ------------------------------------------------------------------------


for _more in (-7, 8):

    @kind(
        f"all of the footer says {_more:+} rows",
        WHILE,
        r"row group 1: .*'n': its pages have \d+ values",
        columns=["n", "f", "w"],
    )
    def _(file: ParquetFile, more: int = _more) -> None:
        add(file.footer, 3, more)
        add(file.groups[1], 3, more)
        for column in (N, F, W, ID, UNUSED):
            add(file.meta(1, column), 5, more)


for _version in ("1.0", "2.0"):
    for _column, _name in ((N, "n"), (F, "f"), (W, "w"), (ID, "id"), (LIST, r"l\.list\.element")):
        for _more in (-16, -1, 1):

            @kind(
                f"{_more:+} values of a page of '{_name}', version {_version}",
                WHILE,
                rf"row group 1: .*'{_name}': (its pages have \d+ values|a page has \d+ rows of|the"
                rf" header of its page at byte [\d,]+ is damaged)|'{_name[0]}\w*' has \d+ rows",
                _version,
            )
            def _(file: ParquetFile, more: int = _more, column: int = _column) -> None:
                pages = file.pages(1, column)
                header, _ = pages[-1]
                add(header[5 if 5 in header else 8][1], 1, more)
                file.put_pages(1, column, pages)

        @kind(
            f"a page of '{_name}' is gone, version {_version}",
            WHILE,
            rf"row group 1: .*('{_name}': its pages have \d+ values|'{_name[0]}\w*' has \d+ rows)",
            _version,
        )
        def _(file: ParquetFile, column: int = _column) -> None:
            pages = file.pages(1, column)
            file.put_pages(1, column, [*pages[:-2], pages[-1]])

        @kind(
            f"a page of '{_name}' is there twice, version {_version}",
            WHILE,
            rf"row group 1: .*'{_name}': its pages have \d+ values or more, and the footer counts",
            _version,
        )
        def _(file: ParquetFile, column: int = _column) -> None:
            pages = file.pages(1, column)
            file.put_pages(1, column, [*pages, pages[-1]])

        @kind(
            f"a short page of '{_name}', version {_version}",
            WHILE,
            rf"row group 1: .*column '{_name[0]}",
            _version,
        )
        def _(file: ParquetFile, column: int = _column) -> None:
            pages = file.pages(1, column)
            pages[-1] = with_content(pages[-1], pages[-1][1][:-9])
            file.put_pages(1, column, pages)


@kind("pages of more rows of lists", WHILE, r"row group 1: .*'l.*: its pages have \d+ rows", "2.0")
def _(file: ParquetFile) -> None:
    pages = file.pages(1, LIST)
    add(pages[0][0][8][1], 3, 1)
    file.put_pages(1, LIST, pages)


for _columns in (["l"], COLUMNS):

    @kind(
        f"as many values of lists in fewer rows, read with {_columns[0]}",
        WHILE,
        r"row group 0: .*'l' has 60 rows, and the footer counts 100",
        columns=_columns,
    )
    def _(file: ParquetFile) -> None:
        stream = io.BytesIO()
        values = file.meta(0, LIST)[5][1]
        lists = [[1.0]] * 59 + [[1.0] * (values - 59)]
        pq.write_table(pa.table({"l": lists}), stream, compression="none", use_dictionary=False)
        file.put_pages(0, LIST, ParquetFile(stream.getvalue()).pages(0, 0))


@kind("a page that is not as large as it says", WHILE, r"row group 1: .*'n': .* page .* damaged")
def _(file: ParquetFile) -> None:
    pages = file.pages(1, N)
    add(pages[1][0], 2, 8)
    file.put_pages(1, N, pages)


@kind("pages that are compressed in an unknown way", WHILE, r"row group 1: .*'n': .* damaged")
def _(file: ParquetFile) -> None:
    set_(file.meta(1, N), 4, 77)


@kind("a page without a header", WHILE, r"row group 1: .*'id': .* page at byte [\d,]+ is damaged")
def _(file: ParquetFile) -> None:
    first, _ = file.place(1, ID)
    file.body = file.body[:first] + b"\xff" * 8 + file.body[first + 8 :]


def with_codes(file: ParquetFile, codes: list[int], width: int, words: list[bytes]) -> None:
    """Puts the words of `w` in the first row group into another dictionary."""
    dictionary, *_, values = file.pages(0, W)
    dictionary = with_content(
        dictionary, b"".join(len(word).to_bytes(4, "little") + word for word in words)
    )
    set_(dictionary[0][7][1], 1, len(words))
    runs = b"".join(b"\x02" + code.to_bytes(-(-width // 8), "little") for code in codes)
    # The levels of a column that may be null: all of them are 1, as a single run.
    levels = varint(2 * len(codes)) + b"\x01"
    content = len(levels).to_bytes(4, "little") + levels + bytes([width]) + runs
    page = with_content(values, content)
    set_(page[0][5][1], 1, len(codes))
    file.put_pages(0, W, [dictionary, page])


WORDS = [b"w0", b"w1", b"w2"]
for _code, _width in ((3, 2), (255, 8), (0x7FFFFFFF, 32), (0xFFFFFFFF, 32)):

    @kind(f"a code of no word, {_code}", WHILE, r"row group 0: .*'w': .*not in dictionary")
    def _(file: ParquetFile, code: int = _code, width: int = _width) -> None:
        codes = [i % 3 for i in range(GROUP)]
        codes[71] = code
        with_codes(file, codes, width, WORDS)


@kind("a code in a dictionary without words", WHILE, r"row group 0: .*'w': .*not in dictionary")
def _(file: ParquetFile) -> None:
    with_codes(file, [0] * GROUP, 2, [])


def fault_of(action: Callable[[], object]) -> DataFault | None:
    try:
        action()
    except DataFault as fault:
        return fault
    return None


@pytest.mark.parametrize("wrong", KINDS, ids=[wrong.name for wrong in KINDS])
def test_contradictions_are_found(wrong: Kind) -> None:
    file = ParquetFile(content(wrong.version))
    assert file.content() == content(wrong.version)
    wrong.change(file)
    changed = file.content()
    examined = fault_of(lambda: examine(changed))
    read = fault_of(lambda: rows_of(changed, wrong.columns))
    fault = examined if wrong.found == BEFORE else read
    assert (examined is None) == (wrong.found == WHILE)
    assert fault is not None
    assert (fault.path, fault.reason) == ("d/a.parquet", "corrupt_parquet")
    assert re.search(wrong.said, str(fault)), str(fault)


def test_words_that_a_dictionary_has_twice_are_read_as_they_are() -> None:
    file = ParquetFile(content())
    codes = [i % 4 for i in range(GROUP)]
    with_codes(file, codes, 2, [b"w0", b"w0", b"w1", b"w2"])
    words = ["w0", "w0", "w1", "w2"]
    expected = [words[code] for code in codes] + table()["w"].to_pylist()[GROUP:]
    assert rows_of(file.content())["w"] == expected


def test_a_good_file_is_read_whole() -> None:
    expected = table().select(COLUMNS).to_pydict()
    for version in ("1.0", "2.0"):
        assert rows_of(content(version)) == expected


def counts_and_places(file: ParquetFile) -> list[tuple[Any, int]]:
    """Every struct and field of the footer that holds a count of values or rows, or a place."""
    found: list[tuple[Any, int]] = [(file.footer, 3), (file.schema[0], 5)]
    for number, group in enumerate(file.groups):
        found.append((group, 3))
        for column in range(len(file.chunks(number))):
            meta = file.meta(number, column)
            found += [(meta, field) for field in (5, 7, 9, 11) if field in meta]
    return found


@pytest.mark.parametrize("seed", range(60))
def test_another_count_or_place_is_told_or_changes_no_row(seed: int) -> None:
    source = random.Random(seed)
    version = source.choice(["1.0", "2.0"])
    file = ParquetFile(content(version))
    if source.random() < 0.5:
        places = counts_and_places(file)
        for struct, field in source.sample(places, source.choice([1, 1, 2, 5])):
            set_(struct, field, another(source, struct[field][1], places))
    else:
        group, column = source.randrange(3), source.choice([N, F, W, ID, LIST])
        pages = file.pages(group, column)
        header, _ = source.choice(pages)
        inner = next(header[field][1] for field in (5, 7, 8) if field in header)
        fields = [(header, 1), (header, 2), (header, 3), (inner, 1)]
        fields += [(inner, 2), (inner, 3)] if 8 in header else []
        struct, field = source.choice(fields)
        set_(struct, field, another(source, struct[field][1], fields))
        file.put_pages(group, column, pages)
    try:
        found = rows_of(file.content())
    except DataFault:
        return
    assert found == table().select(COLUMNS).to_pydict()


def another(source: random.Random, number: int, places: list[tuple[Any, int]]) -> int:
    struct, field = source.choice(places)
    far = source.choice([0, -1, 2**31 - 1, -(2**31), source.randrange(1000)])
    return source.choice([number + source.randrange(-9, 10), number * 2, far, struct[field][1]])


def test_files_without_rows_or_columns_are_whole() -> None:
    for rows, columns in ((table(0), COLUMNS), (pa.table({}), [])):
        stream = io.BytesIO()
        pq.write_table(rows, stream)
        assert rows_of(stream.getvalue(), columns) == rows.select(columns).to_pydict()
