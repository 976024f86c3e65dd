"""Finished runs, read back; and what is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from heads.statistics import OVERALL
from pipeline.errors.problems import ConfigError
from pipeline.runs.diff import load_run
from pipeline.runs.states_zip import zip_states
from tests.pipeline.tables import plan_of
from tests.pipeline.whole_runs import BINARY, Finish, config, table


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


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("states.zip", None),
        ("states.zip", b""),
        ("states.zip", b"PK and no more"),
        ("report.json", None),
        ("report.json", b"{"),
        ("report.json", b"[]"),
        ("report.json", b"{}"),
        ("report.json", b'{"config": {"heads": {}}}'),
        ("report.json", b'{"config": null}'),
        ("report.json", b"\xff"),
    ],
)
def test_a_damaged_run_is_refused(file: str, content: bytes | None, finish: Finish) -> None:
    run = Path(finish(config()).directory)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read, run it again") as caught:
        load_run(str(run))
    assert str(run) in str(caught.value)


def test_a_damaged_archive_is_refused(finish: Finish) -> None:
    run = Path(finish(config()).directory)
    content = (run / "states.zip").read_bytes()
    for place in (60, len(content) // 2):
        damaged = bytearray(content)
        damaged[place] ^= 64
        (run / "states.zip").write_bytes(bytes(damaged))
        with pytest.raises(ConfigError, match="cannot be read"):
            load_run(str(run))


@pytest.mark.parametrize("states", ["none", "those of another configuration"])
def test_states_that_are_not_those_of_the_report_are_refused(states: str, finish: Finish) -> None:
    run = finish(config())
    if states == "none":
        content = zip_states(run.table, [])
        (Path(run.directory) / "states.zip").write_bytes(content)
    else:
        other = finish(config(head=BINARY.replace(", weight: w", "")))
        shutil.copy(Path(other.directory) / "states.zip", run.directory)
    with pytest.raises(ConfigError, match="run it again"):
        load_run(run.directory)
