"""Finished runs, read back; and what is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heads.statistics import OVERALL, Key, ScoreHistogram, State
from heads.statistics.codec import encode
from pipeline.errors.problems import ConfigError
from pipeline.evaluation.state_key import StateKey
from pipeline.results.run_states import RunStates
from pipeline.runs.load import load_run
from pipeline.runs.states_zip import unzip_states, zip_states
from pipeline.slicing.table import SliceTable
from tests.pipeline.tables import plan_of
from tests.pipeline.whole_runs import BINARY, Finish, config, finish_run, seal, table


@pytest.fixture
def finish(tmp_path: Path) -> Finish:
    return Finish(tmp_path)


def test_a_run_is_read_as_it_was(finish: Finish) -> None:
    text = config(confidence="folds: 10, max_slices: 1")
    run = finish(text)
    assert run.plan == plan_of(text)
    assert len(run.table.specs[0].keys) == 3
    assert run.states.keys() == {"h"}
    for measured, state in run.states["h"].items():
        assert state.statistic == measured.statistic
        assert OVERALL in state.keys
    # The partitions of a state are put together again.
    rows = run.states["h"][run.plan.heads["h"].counting]
    assert len(rows.keys) == 4
    assert int(rows.by_segment("rows")[rows.keys.index(OVERALL)]) == len(table())


def test_what_is_no_run_is_refused(tmp_path: Path, finish: Finish) -> None:
    with pytest.raises(ConfigError, match="there is no _SUCCESS in it"):
        load_run(str(tmp_path / "nowhere"))
    run = Path(finish(config()).directory)
    (run / "_SUCCESS").unlink()
    with pytest.raises(ConfigError, match="holds no finished run"):
        load_run(str(run))


DAMAGED = [
    ("states.zip", None, "manifest.json does not list it"),
    ("states.zip", b"", "this is no archive of states, or it is damaged"),
    ("states.zip", b"PK and no more", "this is no archive of states, or it is damaged"),
    ("report.json", None, "manifest.json does not list it"),
    ("report.json", b"{", "it is no JSON: EOF while parsing an object"),
    ("report.json", b"[]", "it has no 'headcount_report', the version of its layout"),
    ("report.json", b"{}", "it has no 'headcount_report'"),
    ("report.json", b'{"headcount_report": 3}', "has version 3, and this release of headcount"),
    ("report.json", b'{"headcount_report": 2}', "key 'config' is missing"),
    ("report.json", b'{"headcount_report": 2, "config": null}', "config: expected a mapping"),
    ("report.json", b"\xff", "it is no JSON"),
]


@pytest.mark.parametrize(("file", "content", "said"), DAMAGED)
@pytest.mark.parametrize("sealed", [False, True])
def test_a_damaged_run_is_refused(
    file: str, content: bytes | None, said: str, sealed: bool, finish: Finish
) -> None:
    run = Path(finish(config()).directory)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content)
    if sealed:
        seal(run)
    with pytest.raises(ConfigError, match="cannot be read, run it again") as caught:
        load_run(str(run))
    assert str(caught.value).startswith(f"{run}: ")
    assert f"{file}: " in str(caught.value)
    assert (said in str(caught.value)) == sealed


@pytest.mark.parametrize("sealed", [False, True])
def test_a_damaged_archive_is_refused(sealed: bool, finish: Finish) -> None:
    run = Path(finish(config()).directory)
    content = (run / "states.zip").read_bytes()
    for place in (60, len(content) // 2):
        damaged = bytearray(content)
        damaged[place] ^= 64
        (run / "states.zip").write_bytes(bytes(damaged))
        if sealed:
            seal(run)
        with pytest.raises(ConfigError, match=r"cannot be read, .*: states\.zip: "):
            load_run(str(run))


def test_states_of_another_run_are_refused(finish: Finish) -> None:
    run, other = finish(config()), finish(config(), table(500, 9))
    shutil.copy(Path(other.directory) / "states.zip", run.directory)
    with pytest.raises(ConfigError, match=r"states\.zip: it (is not what|has .* bytes, and) "):
        load_run(run.directory)


def no_states(run: RunStates) -> bytes:
    return zip_states(run.table, [])


def of_other_rows(run: RunStates) -> bytes:
    other = table(500, 9).slice(0, 480)
    return (finish_run(Path(run.directory) / "other", config(), other) / "states.zip").read_bytes()


def of_another_configuration(run: RunStates) -> bytes:
    text = config(head=BINARY.replace(", weight: w", ""))
    path = finish_run(Path(run.directory) / "other", text, table())
    return (path / "states.zip").read_bytes()


def changed(change: Callable[[StateKey, State], State | None]) -> Callable[[RunStates], bytes]:
    """A function that makes an archive of changed states, without those that become None."""

    def make(run: RunStates) -> bytes:
        _, states = unzip_states((Path(run.directory) / "states.zip").read_bytes())
        new = ((key, change(key, state)) for key, state in states.items())
        return zip_states(run.table, [(key, encode(s)) for key, s in new if s is not None])

    return make


def in_another_table(table: Callable[[SliceTable], SliceTable]) -> Callable[[RunStates], bytes]:
    def make(run: RunStates) -> bytes:
        _, states = unzip_states((Path(run.directory) / "states.zip").read_bytes())
        return zip_states(table(run.table), [(key, encode(s)) for key, s in states.items()])

    return make


def twice(run: RunStates) -> bytes:
    _, states = unzip_states((Path(run.directory) / "states.zip").read_bytes())
    again = {key._replace(partition=key.partition + 9): state for key, state in states.items()}
    return zip_states(run.table, [(key, encode(s)) for key, s in (states | again).items()])


def with_rows(state: State, rows: int) -> State:
    return replace(state, counts={"rows": np.full(len(state), rows)})


def with_key(state: State, key: Key) -> State:
    return replace(state, keys=(*state.keys[:-1], key))


def is_histogram(state: State) -> bool:
    return isinstance(state.statistic, ScoreHistogram)


def without_a_slice(key: StateKey, state: State) -> State:
    return state.take(range(len(state.keys) - 1)) if len(state.keys) > 1 else state


ELSEWHERE: Key = (("g", "string", "zzz"),)
OTHERS: dict[str, tuple[Callable[[RunStates], bytes], str]] = {
    "none": (no_states, "it has no counts of the rows by the configuration in the report"),
    "of other rows": (of_other_rows, "it has other rows in the slices than the report"),
    "of another configuration": (of_another_configuration, "it has no counts of the rows by"),
    "of other numbers of rows": (
        changed(lambda key, state: with_rows(state, 3)),
        "it has other rows in the slices than the report",
    ),
    "of too many rows": (
        changed(lambda key, state: with_rows(state, (1 << 63) - 1)),
        "counts more rows than there can be",
    ),
    "of a slice less": (changed(without_a_slice), "it has other rows in the slices"),
    "of another slice": (
        changed(lambda key, state: with_key(state, ELSEWHERE)),
        "it has rows of a slice that its table of slices has not",
    ),
    "of another slice in one of them": (
        changed(lambda key, state: with_key(state, ELSEWHERE) if is_histogram(state) else state),
        "score_histogram has other rows in the slices than the report",
    ),
    "of other rows in one of them": (
        changed(lambda key, state: with_rows(state, 9) if is_histogram(state) else state),
        "score_histogram has other rows in the slices than the report",
    ),
    "twice": (twice, "has a slice twice"),
    "slices of another column": (
        in_another_table(
            lambda table: replace(
                table, specs=(replace(table.specs[0], keys=((("k", "int", 1),),), examples=(9,)),)
            )
        ),
        r"slices\[0\] has slices of other columns than the report",
    ),
    "a slice twice in its table": (
        in_another_table(
            lambda table: replace(
                table,
                specs=tuple(
                    replace(spec, keys=spec.keys * 2, examples=spec.examples * 2)
                    for spec in table.specs
                ),
            )
        ),
        r"slices\[0\] has a slice twice",
    ),
    "slices of no entry": (
        in_another_table(lambda table: replace(table, specs=())),
        "it has not an entry for each entry of 'slices' in the report",
    ),
    "a largest slice that is none": (
        in_another_table(lambda table: replace(table, largest=frozenset({ELSEWHERE}))),
        "the largest slices are none of the slices",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_states_that_do_not_fit_the_report_are_refused(what: str, finish: Finish) -> None:
    make, said = OTHERS[what]
    run = finish(config())
    (Path(run.directory) / "states.zip").write_bytes(make(run))
    seal(Path(run.directory))
    with pytest.raises(ConfigError, match=f"run it again .*: states.zip: .*{said}"):
        load_run(run.directory)


def test_only_states_that_a_comparison_reads_are_read(finish: Finish) -> None:
    """States of a baseline, and of statistics that this release does not have, are let be."""
    run = finish(config(head=BINARY + ", baseline: {{logits: t}}"))
    path = Path(run.directory) / "states.zip"
    _, states = unzip_states(path.read_bytes())
    assert {measured.model for measured in run.states["h"]} == {0}
    written = [
        (key, b"damaged" if key.model == 1 else encode(state)) for key, state in states.items()
    ]
    assert (StateKey("h", 1, run.plan.heads["h"].counting.statistic.digest), b"damaged") in written
    path.write_bytes(zip_states(run.table, written))
    again = load_run(str(seal(Path(run.directory))))
    assert again.states["h"].keys() == run.states["h"].keys()
