"""The output and the stage of a run while it is made."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pipeline.errors.faults import OutputTaken, StorageError
from pipeline.errors.interrupted import uninterrupted
from pipeline.readers.storage import is_local
from pipeline.runs.publish import LOCK_SECONDS
from pipeline.runs.stage import COMMIT, Stage
from pipeline.runs.store import Store

_LOGGER = logging.getLogger(__name__)
# A run that has just ended may be about to let go of the lock.
_MOMENT = 0.2


@dataclass
class Running:
    """What the driver knows of its job.

    Attributes:
        ended: whether the job is known to be no longer at work, and no longer needs its stage.
    """

    ended: bool = True


@contextmanager
def held_output(store: Store, output: str, predictions: str | None) -> Iterator[bool]:
    """Holds the lock of an output, and deletes the directories that it made if they are empty.

    Args:
        store: the store of the output.
        output: the directory of the run.
        predictions: the directory of predictions, or None.

    Returns:
        A context whose value is whether no other driver on this machine is at work in the output.

    Raises:
        OutputTaken: if another driver is.
    """
    with ExitStack() as stack:
        for path in (output, predictions):
            for directory in _missing(path):
                stack.callback(store.delete_if_empty, directory)
        yield stack.enter_context(store.lock(output, _MOMENT))


def _missing(path: str | None) -> list[str]:
    """Returns the directories of a path on this machine that do not exist, from the top."""
    if path is None or not is_local(path):
        return []
    missing = []
    directory = os.path.abspath(path)
    while not os.path.lexists(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    return missing[::-1]


@contextmanager
def opened(store: Store, stage: Stage) -> Iterator[Running]:
    """Opens the stage of a run and, if the run ends without having been published, discards it.

    The stage stays if the job goes on without its driver, or if the run is whole: then the next
    run publishes it.
    """
    stage.open(store)
    running = Running()
    try:
        if stage.predictions is not None:
            store.make_directory(stage.predictions)
        yield running
    finally:
        if running.ended:
            with uninterrupted():
                _close(store, stage)


def _close(store: Store, stage: Stage) -> None:
    try:
        with store.lock(stage.root, LOCK_SECONDS):
            if not stage.is_open(store):
                store.delete_if_empty(stage.root)
            elif store.exists(stage.path(COMMIT)):
                _LOGGER.warning(
                    "%s holds a run that is whole; the next run there publishes it", stage.directory
                )
            else:
                stage.discard(store)
    except (OutputTaken, StorageError) as error:
        _LOGGER.warning("%s; delete what is left in %s", error, stage.directory)
