"""Tables of any width hold all of their cells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from pipeline.report.text.screen import Screen
from pipeline.report.text.tables import Column, break_name, stacked
from tests.pipeline.tables import law

words = st.text("ab_/, x\u754c", min_size=1, max_size=30).filter(str.strip)


@law
@given(words, st.integers(4, 40))
def test_a_broken_name_has_all_its_letters(name: str, most: int) -> None:
    lines = break_name(name, most).split("\n")
    assert max(map(cell_len, lines)) <= most
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")


def test_names_are_broken_behind_their_marks() -> None:
    assert break_name("recall/positive_threshold_0.5", 18) == "recall/positive_\nthreshold_0.5"
    assert break_name("size=large, texture=rough", 14) == "size=large,\ntexture=rough"
    assert break_name("abcdef", 4) == "abcd\nef"
    assert break_name("a_b\nc_d", 9) == "a_b\nc_d"


@law
@given(
    st.lists(words, min_size=1, max_size=4),
    st.lists(st.tuples(words, st.sampled_from(["0.5", "0.1234\n0.10-0.17", "12,345"])), max_size=8),
    st.integers(36, 130),
)
def test_every_cell_is_in_a_table_that_fits(
    names: list[str], titles: list[tuple[str, str]], width: int
) -> None:
    first = Column("", [Text(name) for name in names], right=False)
    columns = [Column(title, [Text(cell) for _ in names]) for title, cell in titles]
    tables = list(stacked([first], columns, width))
    text = Screen(width).draw(tables)
    assert max(map(cell_len, text.split("\n"))) <= width
    assert sum(len(table.columns) - 1 for table in tables) == len(columns)
    for _, cell in titles:
        for line in cell.split("\n"):
            assert text.count(line) >= len(names)
    letters = sum(len(title.replace(" ", "")) for title, _ in titles)
    letters += len(tables) * sum(len(name.replace(" ", "")) for name in names)
    cells = sum(len(cell.replace("\n", "")) for _, cell in titles) * len(names)
    assert len("".join(text.split())) == letters + cells


def test_tables_are_as_few_as_fit() -> None:
    first = Column("", [Text("a" * 10)], right=False)
    columns = [Column(f"column{number}", [Text("1")]) for number in range(6)]
    # A column takes 7 and a gap of 2.
    for width, tables in ((64, 1), (63, 2), (37, 2), (36, 3), (28, 3)):
        assert len(list(stacked([first], columns, width))) == tables, width


def test_names_are_broken_only_where_a_table_does_not_fit() -> None:
    first = Column("", [Text("size=large, texture=rough")], right=False)
    columns = [Column("average_precision", [Text("0.5000")]) for _ in range(2)]
    (whole,) = stacked([first], columns, 63)
    assert [str(column.header) for column in whole.columns[1:]] == ["average_precision"] * 2
    (broken,) = stacked([first], columns, 62)
    assert [str(column.header) for column in broken.columns[1:]] == ["average_\nprecision"] * 2
    assert "\n" not in str(next(iter(broken.columns[0].cells)))
    (narrow,) = stacked([first], columns, 40)
    assert str(next(iter(narrow.columns[0].cells))) == "size=large,\ntexture=rough"
