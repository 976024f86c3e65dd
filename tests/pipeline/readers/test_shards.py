"""Tests shards: columns of directories, the list that workers read, and work items."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.shard_list import parse_shards, shard_line
from pipeline.readers.shards import Shard, WorkItem, make_shard, repeated_directory_columns
from pipeline.readers.stamps import Stamp
from tests.pipeline.tables import law


def directories(path: str) -> dict[str, str | None]:
    return Shard(path, 1, "parquet").directory_columns()


def test_columns_of_directories() -> None:
    assert directories("a.parquet") == {}
    assert directories("site=A/day=2026-11-01/a.parquet") == {"site": "A", "day": "2026-11-01"}
    assert directories("/r/site=A/x/day=1/a.parquet") == {"site": "A", "day": "1"}
    assert directories("gs://b/site=A/a.parquet") == {"site": "A"}
    # The name of the file states nothing; of a repeated column the nearest directory counts.
    assert directories("site=A/site=B/x=1.parquet") == {"site": "B"}
    assert directories("k=a=b/k2=/a.parquet") == {"k": "a=b", "k2": ""}
    # As Hive writes them: percent signs are codes, plus signs are not.
    assert directories("c%20d=A%2FB%3D%25/e=1+1/a.parquet") == {"c d": "A/B=%", "e": "1+1"}
    assert directories("g=%C3%A9/a.parquet") == {"g": "é"}
    # How Hive, Spark and Arrow write null.
    assert directories("g=__HIVE_DEFAULT_PARTITION__/h=__hive/a.pq") == {"g": None, "h": "__hive"}
    # Neither a name nor what it codes need be UTF-8.
    assert directories("g=%FF/h=\udcff/a.pq") == {"g": "\udcff", "h": "\udcff"}


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@law
@given(st.dictionaries(text.filter(bool), text, max_size=3))
def test_every_value_can_be_stated_by_a_directory(columns: dict[str, str]) -> None:
    parts = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in columns.items()]
    assert directories("/".join(["/data", *parts, "a.parquet"])) == columns


def test_work_items_are_told_apart_by_name() -> None:
    shards = [make_shard("a.parquet", 1), make_shard("b.parquet", 1)]
    items = [WorkItem(shard, 0, groups) for shard in shards for groups in [(0, 1), (0, 2), (1, 2)]]
    assert len({item.name for item in items}) == len(items)
    assert items == sorted(items)
    assert WorkItem(shards[0], 3, (1, 2)).name == "a.parquet#1-2"
    assert WorkItem(make_shard("a.tfrecord", 1)).name == "a.tfrecord#0-0"


def test_columns_that_directories_state_twice() -> None:
    assert repeated_directory_columns("country=A/day=1/country=A/a.pq") == ["country"]
    assert repeated_directory_columns("c%20d=A/c d=B/x=1/y=1/x=2/a.pq") == ["c d", "x"]
    assert repeated_directory_columns("a=1/b=1/a=3.pq") == []


def test_workers_get_the_shards_as_they_were_listed() -> None:
    shards = [
        Shard("a=é/000000_0", 7, "parquet", 3, 9, Stamp(7, 123, "45", "here")),
        Shard("b.tfrecord.gz", 0, "tfrecord"),
    ]
    parsed = parse_shards(shard_line(shards))
    assert parsed == shards
    assert [shard.stamp for shard in parsed] == [shard.stamp for shard in shards]
