"""Publishing: whatever crashes, and whoever else publishes, a result is whole and none is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors.faults import OutputTaken, StorageError
from pipeline.runs.manifest import is_intact, read_manifest, read_success
from pipeline.runs.outputs import problem_files
from pipeline.runs.publish import (
    check_output,
    has_committed,
    publish,
    publish_failure,
    read_failure,
    read_published,
    recover,
)
from pipeline.runs.stage import ROOT, Stage, join, new_stage, stage_ids
from pipeline.runs.store import LocalStore, Store
from tests.pipeline.runs.stores import Crash, MemoryStore, crashing, take_turns

# A file that both runs have with other content, and one that each has alone.
OLD = {"report.json": b"old", "data.json": b"{}", "NOT_BLESSED": b"\n"}
NEW = {"report.json": b"new", "data.json": b"{ }", "BLESSED": b"\n"}
# Files of others, which have nothing to do with a run.
FOREIGN = {"notes.txt": b"mine", ".headcountrc": b"mine"}


@pytest.fixture(params=["local", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Store, str]:
    """A store, and an output in it."""
    return (LocalStore(), str(tmp_path / "out")) if request.param == "local" else in_memory()


def in_memory() -> tuple[MemoryStore, str]:
    return MemoryStore(), "s3://bucket/out"


def begin(store: Store, output: str, *, overwrite: bool = True, predictions: bool = True) -> Stage:
    """A run that has begun, and written predictions."""
    directory = f"{output}-predictions" if predictions else None
    stage = new_stage(output, overwrite=overwrite, predictions=directory, local=True)
    stage.open(store)
    if stage.predictions is not None:
        store.make_directory(join(stage.predictions, "click"))
        for name in ("part-0123456789abcdef.parquet", f".unfinished-{0:032x}"):
            store.write(join(stage.predictions, "click", name), b"rows")
    return stage


def finish(store: Store, output: str, files: dict[str, bytes]) -> Stage:
    """A run that is published."""
    stage = begin(store, output)
    publish(store, stage, "job", files)
    return stage


def put_foreign(store: Store, output: str) -> None:
    for name, content in FOREIGN.items():
        store.write(join(output, name), content)


def files_below(store: Store, directory: str) -> dict[str, bytes]:
    """The files below a directory."""
    found = {}
    for name in store.children(directory):
        path = join(directory, name)
        try:
            found[name] = store.read(path)
        except (FileNotFoundError, StorageError):
            below = files_below(store, path)
            found.update({f"{name}/{inner}": content for inner, content in below.items()})
    return found


def assert_holds(
    store: Store,
    output: str,
    stage: Stage,
    files: dict[str, bytes],
    rivals: dict[str, bytes] | None = None,
) -> None:
    """The output holds one run with all of its files, the files of others, and nothing else.

    Files and predictions of a rival, which published at the same moment, may be left beside them.
    """
    found = files_below(store, output)
    manifest = found.pop("manifest.json")
    success = json.loads(found.pop("_SUCCESS"))
    assert success["id"] == stage.id == json.loads(manifest)["id"]
    left = {name: content for name, content in found.items() if name not in files | FOREIGN}
    assert {**found} == files | FOREIGN | left
    assert left.items() <= (rivals or {}).items()
    assert is_intact(store, output)
    predictions = files_below(store, f"{output}-predictions")
    written = f"{stage.id}/click/part-0123456789abcdef.parquet"
    assert list(predictions) == [written] or (rivals is not None and written in predictions)


def crashes(attempt: Callable[[Any], object], store: Store, at: int, *, done: bool) -> bool:
    """Whether something crashes at a change of the store."""
    try:
        attempt(crashing(store, at, done=done))
    except Crash:
        return True
    return False


@pytest.mark.parametrize("done", [False, True])
def test_a_crash_at_any_change_loses_nothing(
    place: tuple[Store, str], tmp_path: Path, done: bool
) -> None:
    kind, base = place
    at, crashed, rolled_forward = 0, True, set()
    while crashed:
        at += 1
        store: Store = MemoryStore() if isinstance(kind, MemoryStore) else kind
        output = f"{base}{at}"
        old = finish(store, output, OLD)
        put_foreign(store, output)
        stage = begin(store, output)

        def attempt(crashing_store: Store, stage: Stage = stage) -> None:
            publish(crashing_store, stage, "job", NEW)

        crashed = crashes(attempt, store, at, done=done)
        committed = store.exists(stage.path("COMMIT"))
        # Both results can be had, or the one that is not whole can be made so.
        assert is_intact(store, output) or committed
        success = read_success(store, output)
        if success is not None and not is_intact(store, output):
            assert committed
        rolled, lines = recover(store, output, is_alone=True)
        assert lines == []
        new = committed or not crashed or stage.id == (success or {}).get("id")
        assert rolled in (None, stage.id)
        rolled_forward.add(rolled is not None)
        assert_holds(store, output, *((stage, NEW) if new else (old, OLD)))
        assert stage_ids(store, output) == []
    assert rolled_forward == {False, True}
    assert at > 20


GATED = {
    "blessed": {"gates.json": b"good", "BLESSED": b"\n"},
    "not blessed": {"gates.json": b"bad", "NOT_BLESSED": b"\n"},
    "without gates": {},
}


@pytest.mark.parametrize("older", GATED)
@pytest.mark.parametrize("newer", GATED)
def test_no_verdict_of_an_older_run_is_left(
    place: tuple[Store, str], older: str, newer: str
) -> None:
    store, output = place
    finish(store, output, {"report.json": b"old", **GATED[older]})
    put_foreign(store, output)
    stage = finish(store, output, {"report.json": b"new", **GATED[newer]})
    assert_holds(store, output, stage, {"report.json": b"new", **GATED[newer]}, {})


@pytest.mark.parametrize("name", ["gates.json", "BLESSED", "NOT_BLESSED"])
def test_a_verdict_of_others_is_not_replaced(place: tuple[Store, str], name: str) -> None:
    store, output = place
    store.make_directory(output)
    store.write(join(output, name), b"mine")
    with pytest.raises(OutputTaken, match=f"{name} is there, and no run of headcount left it"):
        check_output(store, new_stage(output, overwrite=True, predictions=None, local=True))


@pytest.mark.parametrize("done", [False, True])
def test_a_crash_while_another_is_mended_loses_nothing(done: bool) -> None:
    for first in range(1, 40):
        for second in range(1, 40):
            store, output = in_memory()
            old = finish(store, output, OLD)
            put_foreign(store, output)
            stage = begin(store, output)

            def attempt(crashing_store: Store, stage: Stage = stage) -> None:
                publish(crashing_store, stage, "job", NEW)

            def mend(crashing_store: Store, output: str = output) -> None:
                recover(crashing_store, output, is_alone=True)

            crashed = crashes(attempt, store, first, done=done)
            committed = store.exists(stage.path("COMMIT")) or not crashed
            again = crashes(mend, store, second, done=done)
            recover(store, output, is_alone=True)
            success = read_success(store, output)
            assert success is not None
            new = committed or success["id"] == stage.id
            assert_holds(store, output, *((stage, NEW) if new else (old, OLD)))
            if not again:
                break
        if not crashed:
            return
    pytest.fail("a run takes more changes than were tried")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, 1), max_size=200),
    st.one_of(st.just(0), st.integers(1, 80)),
)
def test_two_publishers_without_locks_leave_one_whole_run(order: list[int], crash: int) -> None:
    store, output = in_memory()
    finish(store, output, {"report.json": b"first"})
    put_foreign(store, output)
    stages = [begin(store, output), begin(store, output)]
    files = [OLD, NEW]

    def publisher(number: int) -> Callable[[Any], object]:
        return lambda own: publish(own, stages[number], "job", files[number])

    errors = take_turns(store, [publisher(0), publisher(1)], iter(order), crash)
    assert errors[1] is None or isinstance(errors[1], StorageError)
    assert errors[0] is None or isinstance(errors[0], StorageError | Crash)
    recover(store, output, is_alone=True)
    success = read_success(store, output)
    assert success is not None
    place = [stage.id for stage in stages].index(success["id"])
    # Without locks nobody knows of a rival that came and went between two operations.
    assert_holds(store, output, stages[place], files[place], files[1 - place])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 1), max_size=200))
def test_a_run_that_is_published_reads_its_files_or_learns_of_the_other(order: list[int]) -> None:
    store, output = in_memory()
    finish(store, output, {"report.json": b"first"})
    stages = [begin(store, output), begin(store, output)]
    files = [OLD, NEW]
    names = ["data.json", "report.json"]

    def driver(number: int) -> Callable[[Any], object]:
        def attempt(watched: Store) -> None:
            publish(watched, stages[number], "job", files[number])
            read = read_published(watched, stages[number], names)
            assert read == {name: files[number][name] for name in names}

        return attempt

    errors = take_turns(store, [driver(0), driver(1)], iter(order), 0)
    success = read_success(store, output)
    assert success is not None
    for stage, error in zip(stages, errors, strict=True):
        if stage.id == success["id"]:
            assert error is None or isinstance(error, StorageError)
        elif error is not None and not isinstance(error, StorageError):
            assert isinstance(error, OutputTaken)
            assert "has replaced this one" in str(error)


def test_publishers_of_one_machine_wait_for_each_other(tmp_path: Path) -> None:
    store, output = LocalStore(), str(tmp_path / "out")
    stages = [begin(store, output) for _ in range(8)]
    put_foreign(store, output)
    content = [{"report.json": str(n).encode(), f"file{n}": b"x"} for n in range(8)]
    threads = [
        threading.Thread(target=publish, args=(store, stage, "job", files))
        for stage, files in zip(stages, content, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    success = read_success(store, output)
    assert success is not None
    last = [stage.id for stage in stages].index(success["id"])
    assert_holds(store, output, stages[last], content[last])


def test_a_second_attempt_of_a_worker_changes_nothing(place: tuple[Store, str]) -> None:
    store, output = place
    stage = begin(store, output)
    assert not has_committed(store, stage)
    publish(store, stage, "job", NEW)
    before = files_below(store, output)
    assert has_committed(store, stage)
    publish(store, stage, "job", OLD)
    assert files_below(store, output) == before
    other = finish(store, output, OLD)
    assert has_committed(store, stage)
    publish(store, stage, "job", NEW)
    put_foreign(store, output)
    assert_holds(store, output, other, OLD)


def test_a_run_whose_stage_is_damaged_is_not_published(place: tuple[Store, str]) -> None:
    store, output = place
    old = finish(store, output, OLD)
    put_foreign(store, output)
    stage = begin(store, output)
    at = 0
    while not store.exists(stage.path("COMMIT")):
        at += 1
        with suppress(Crash):
            publish(crashing(store, at, done=True), stage, "job", NEW)
    store.write(stage.path("manifest.json"), store.read(stage.path("manifest.json")) + b" ")
    with pytest.raises(StorageError, match="is damaged; delete the directory"):
        recover(store, output, is_alone=True)
    assert read_success(store, output) is not None
    assert is_intact(store, output)
    store.delete_directory(stage.directory)
    store.delete_directory(str(stage.predictions))
    recover(store, output, is_alone=True)
    assert_holds(store, output, old, OLD)


def test_a_run_that_may_not_replace_another_does_not(place: tuple[Store, str]) -> None:
    store, output = place
    late = begin(store, output, overwrite=False)
    check_output(store, late)
    first = finish(store, output, OLD)
    put_foreign(store, output)
    with pytest.raises(OutputTaken, match="give --overwrite to replace it"):
        publish(store, late, "job", NEW)
    with pytest.raises(OutputTaken, match="give --overwrite to replace it"):
        check_output(store, late)
    late.discard(store)
    assert_holds(store, output, first, OLD)


@pytest.mark.parametrize("name", ["data.json", "manifest.json", "_SUCCESS", "report.json"])
@pytest.mark.parametrize("content", [b"mine", b"{}", b'{"files": {}}', b"", b"[1]"])
def test_files_of_others_are_in_the_way(
    place: tuple[Store, str], name: str, content: bytes
) -> None:
    store, output = place
    stage = begin(store, output, predictions=False)
    store.write(join(output, name), content)
    with pytest.raises(OutputTaken, match=f"{name} is there, and no run of headcount left it"):
        check_output(store, stage)
    # They may have come while the run was at work.
    with pytest.raises(OutputTaken, match=name if name != "_SUCCESS" else "_SUCCESS"):
        publish(store, stage, "job", NEW)
    assert store.read(join(output, name)) == content
    stage.discard(store)
    assert files_below(store, output) == {name: content}


def test_a_failure_beside_a_result_leaves_it(place: tuple[Store, str]) -> None:
    store, output = place
    old = finish(store, output, OLD)
    put_foreign(store, output)
    before = files_below(store, output)
    for text in ("a", "b"):
        stage = begin(store, output)
        check_output(store, stage)
        publish_failure(store, stage, problem_files([text], stage.id))
        data = problem_files([text], stage.id)["data.json"]
        assert read_failure(store, stage) == (f"{output}/failed/data.json", data)
        assert read_published(store, stage, ["report.json"]) is None
        stage.discard(store)
        found = files_below(store, output)
        assert {name for name in found if name not in before} == {
            "failed/data.json",
            "failed/anomalies.pbtxt",
        }
        assert json.loads(found["failed/data.json"])["problems"] == [text]
        assert {name: found[name] for name in before} == before
        assert read_failure(store, stage) == (f"{output}/failed/data.json", data)
        assert read_failure(store, old) is None
    assert is_intact(store, output)
    assert json.loads(before["_SUCCESS"])["id"] == old.id
    new = finish(store, output, NEW)
    assert_holds(store, output, new, NEW)


def test_a_failure_without_a_result_is_under_the_plain_names(place: tuple[Store, str]) -> None:
    store, output = place
    for text in ("a", "b"):
        stage = begin(store, output)
        check_output(store, stage)
        publish_failure(store, stage, problem_files([text], stage.id))
        data = problem_files([text], stage.id)["data.json"]
        assert read_failure(store, stage) == (f"{output}/data.json", data)
        stage.discard(store)
        # A run of others in the same output may delete the stage before the driver has looked.
        assert read_failure(store, stage) == (f"{output}/data.json", data)
        assert set(files_below(store, output)) == {"data.json", "anomalies.pbtxt"}
    put_foreign(store, output)
    stage = finish(store, output, {**NEW, "anomalies.pbtxt": b"\n"})
    assert_holds(store, output, stage, {**NEW, "anomalies.pbtxt": b"\n"})


@pytest.mark.parametrize("held", [False, True])
def test_files_of_others_stay_where_a_failure_would_be_told(
    place: tuple[Store, str], held: bool
) -> None:
    store, output = place
    if held:
        finish(store, output, OLD)
        store.make_directory(join(output, "failed"))
    directory = join(output, "failed") if held else output
    stage = begin(store, output, predictions=False)
    store.write(join(directory, "data.json"), b"{}")
    with pytest.raises(OutputTaken, match=r"data\.json is there, and no run"):
        check_output(store, stage)
    with pytest.raises(OutputTaken, match=r"data\.json is there, and no run"):
        publish_failure(store, stage, problem_files(["a"], stage.id))
    stage.discard(store)
    assert store.read(join(directory, "data.json")) == b"{}"


def test_a_manifest_that_names_other_places_deletes_nothing(place: tuple[Store, str]) -> None:
    store, output = place
    finish(store, output, OLD)
    outside = f"{output}-other/file"
    store.make_directory(f"{output}-other")
    store.write(outside, b"mine")
    manifest = json.loads(store.read(join(output, "manifest.json")))
    manifest["files"]["../out-other/file"] = manifest["files"]["report.json"]
    store.write(join(output, "manifest.json"), json.dumps(manifest).encode())
    stage = begin(store, output)
    assert read_manifest(store, output) is None
    with pytest.raises(OutputTaken):
        check_output(store, stage)
    del manifest["files"]["../out-other/file"]
    manifest["predictions"] = f"{output}-other"
    store.write(join(output, "manifest.json"), json.dumps(manifest).encode())
    publish(store, stage, "job", NEW)
    assert store.read(outside) == b"mine"


def test_stages_of_runs_elsewhere_are_told_and_stay(place: tuple[Store, str]) -> None:
    store, output = place
    stage = new_stage(output, overwrite=True, predictions=None, local=False)
    stage.open(store)
    rolled, lines = recover(store, output, is_alone=True)
    assert rolled is None
    assert lines == [
        f"{stage.directory} is of a run that began at {stage.created} on {stage.host} and has not"
        " ended; if it is no longer at work, delete that directory"
    ]
    assert stage.is_open(store)
    # One that ended without its driver goes.
    publish_failure(store, stage, problem_files(["a"], stage.id))
    assert recover(store, output, is_alone=False) == (None, [])
    assert store.children(join(output, ROOT)) == []


def test_an_older_run_is_not_rolled_forward_over_a_newer_one(place: tuple[Store, str]) -> None:
    store, output = place
    finish(store, output, {"report.json": b"first"})
    stage = begin(store, output)
    at = 0
    while not store.exists(stage.path("COMMIT")):
        at += 1
        with suppress(Crash):
            publish(crashing(store, at, done=True), stage, "job", NEW)
    newer = finish(store, output, OLD)
    put_foreign(store, output)
    assert recover(store, output, is_alone=True) == (None, [])
    assert_holds(store, output, newer, OLD)
