"""The work directory of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.beam.files import exists
from pipeline.beam.store import BeamStore
from pipeline.beam.work_directory import WorkDirectory, load
from pipeline.errors.faults import StorageError
from pipeline.runs.stage import new_stage


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_what_is_kept_is_loaded_and_goes_with_the_stage(
    place: str, tmp_path: Path, memory: dict[str, bytes]
) -> None:
    output = str(tmp_path / "out") if place == "here" else "mem://b/out"
    stage = new_stage(output, overwrite=False, predictions=None, local=True)
    store = BeamStore()
    stage.open(store)
    directory = WorkDirectory(stage)
    directory.open(store)
    values = [{"number": number} for number in range(20)]
    paths = [directory.keep(f"{value['number']}.findings", value) for value in values]
    assert directory.keep("0.findings", values[0]) == paths[0]
    assert list(load(paths[::-1])) == values[::-1]
    assert len(store.children(directory.directory)) == 20
    stage.close(store)
    assert not any(map(exists, paths))
    stage.close(store)
    if place == "here":
        with pytest.raises(StorageError):
            directory.keep("0.findings", values[0])
