"""Leaves a finished run in a directory, without a pipeline."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from pipeline.errors.interrupted import interruptible
from pipeline.runs.publish import check_output, publish, recover
from pipeline.runs.stage import new_stage
from pipeline.runs.staging import held_output, opened
from pipeline.runs.store import Store
from pipeline.runs.written import check_not_read

_LOGGER = logging.getLogger(__name__)


@interruptible()
def save(
    store: Store,
    output: str,
    job: str,
    files: Callable[[str], Mapping[str, bytes]],
    inputs: Sequence[str],
    plugins: Mapping[str, str],
    *,
    overwrite: bool,
) -> None:
    """Publishes the files of a run by the protocol of all runs.

    Args:
        store: the store of the output.
        output: the directory.
        job: what tells equal jobs.
        files: returns the content of the files of the run by name, given its identity.
        inputs: the globs of the files that were evaluated.
        plugins: the SHA-256 of the plugins of the run, by name.
        overwrite: whether to replace an older run.

    Raises:
        ConfigError: if the globs would read what is left.
        OutputTaken: if the directory holds a run that must stay, other files, or another run at
            work.
        StorageError: if it cannot be written.
    """
    with held_output(store, output, None) as has_locks:
        stage = new_stage(output, overwrite=overwrite, predictions=None, local=True)
        check_not_read(stage, (), inputs, "save")
        _, lines = recover(store, output, is_alone=has_locks)
        for line in lines:
            _LOGGER.warning("%s", line)
        check_output(store, stage)
        with opened(store, stage):
            publish(store, stage, job, files(stage.id), plugins)
