"""The data report: what it says of files, and that it is the same however they come in parts."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.wording import MOST
from pipeline.readers.shards import Shard, make_shard
from pipeline.readers.tfrecord.options import Lost
from pipeline.report.data_json import Files, data_bytes, row_problems
from pipeline.validation.bad_rows import BadRows, Place
from pipeline.validation.findings import Findings, Losses
from tests.pipeline.tables import law

# Quotes and signs below them must neither break the text nor move a path.
NAMES = st.text('ab !"#\\\u00e9\n/', min_size=1, max_size=4)


@st.composite
def findings_of_files(draw: st.DrawFn) -> dict[str, Findings]:
    found = {}
    for name in draw(st.lists(NAMES, max_size=6, unique=True)):
        ending = draw(st.sampled_from([".parquet", ".tfrecord.gz"]))
        shard = make_shard(
            name + ending, draw(st.integers(1, 99)), rows=draw(st.none() | st.just(3))
        )
        bad = draw(st.integers(0, 3))
        place = Place(shard.path, draw(st.integers(0, 9)))
        first = Lost(shard.path, 3, 90, 40, 1, "corrupt_record")
        found[shard.path] = Findings(
            frozenset([shard]),
            rows=draw(st.integers(2, 4)),
            kept=draw(st.integers(0, 2)),
            bad={("h", "null:y"): BadRows(bad, (place,), place[:2])} if bad else {},
            failures=draw(st.sampled_from([{}, {shard.path: "broken"}])),
            unverified=draw(st.sampled_from([frozenset(), frozenset([shard.path])])),
            lost=draw(st.sampled_from([{}, {shard.path: Losses.of(first)}])),
        )
    return found


def written(parts: list[dict[str, Findings]]) -> tuple[bytes, list[str]]:
    files = [Files.of(part) for part in parts]
    total = Findings.total(part.total for part in files)
    problems = row_problems(files)
    return data_bytes(files, total, problems, ["a note"]), problems


@law
@given(findings_of_files(), st.data())
def test_parts_are_as_one(found: dict[str, Findings], data: st.DataObject) -> None:
    places = {path: data.draw(st.integers(0, 2)) for path in found}
    parts = [{path: found[path] for path in found if places[path] == p} for p in (0, 1, 2)]
    content, problems = written(parts)
    assert (content, problems) == written([found])
    report = json.loads(content)
    whole = Findings.total(found.values())
    assert report["rows"] == {"read": whole.rows, "evaluated": whole.kept}
    assert report["problems"] == problems
    assert report["notes"] == ["a note"]
    for bad in Files.of(found).total.bad.values():
        assert bad.files == sum(1 for findings in found.values() if findings.bad)
    assert [shard["path"] for shard in report["shards"]] == sorted(found)
    for shard in report["shards"]:
        findings = found[shard["path"]]
        (expected,) = findings.shards
        assert (shard["bytes"], shard["format"]) == (expected.bytes, expected.format)
        assert (shard["rows"], shard["evaluated"]) == (findings.rows, findings.kept)
        assert [bad["rows"] for bad in shard["bad_rows"]] == [
            bad.rows for bad in findings.bad.values()
        ]
        assert shard["failure"] == findings.failures.get(expected.path)
        assert (shard["lost"] is None) == (not findings.lost)
        checked = None if expected.format != "parquet" else not findings.unverified
        assert shard["page_checksums"] is checked


def test_a_line_for_each_file() -> None:
    findings = {path: Findings(frozenset([Shard(path, 9, "parquet")])) for path in ("b", "a")}
    content = data_bytes([Files.of(findings)], Findings.total(findings.values()), [], []).decode()
    lines = [line for line in content.splitlines() if '"path"' in line]
    assert [json.loads(line.rstrip(","))["path"] for line in lines] == ["a", "b"]


def test_only_the_first_files_of_wrong_rows_are_named() -> None:
    template = Findings(frozenset([Shard("", 9, "parquet", rows=1)]))
    paths = [f"{number:04}" for number in range(MOST + 7)]
    findings = {
        p: replace(template, shards=frozenset([Shard(p, 9, "parquet", rows=1)])) for p in paths
    }
    halves = [{p: findings[p] for p in paths[start::2]} for start in (1, 0)]
    problems = row_problems(map(Files.of, halves))
    assert [line.partition(":")[0] for line in problems[:3]] == paths[:3]
    assert problems[3:] == [f"... and {MOST + 4} more files like these"]
