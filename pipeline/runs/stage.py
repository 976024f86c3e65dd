"""The stage of a run: a directory below its output that holds the run until it is published."""

from __future__ import annotations

import json
import re
import socket
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipeline.runs.store import Store

ROOT = ".headcount"
"""The directory, below the output, of the stages of runs."""
COMMIT = "COMMIT"
"""The file that is written last into a stage: with it, the run is whole."""
REPLACED = "REPLACED"
"""The manifest of the older run, kept in the stage before its files are replaced."""
FAILED = "FAILED"
"""The file of a stage that says that the run ended, and its data must not be reported on."""

_STAGE = "stage.json"
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}")
_PREDICTIONS = re.compile(r"part-[0-9a-f]{16}\.parquet|\.unfinished-[0-9a-f]{32}")


def join(directory: str, *names: str) -> str:
    """Returns the path of something below a directory.

    >>> join("s3://bucket/out/", ".headcount", "COMMIT"), join("/", "a")
    ('s3://bucket/out/.headcount/COMMIT', '/a')
    """
    return "/".join([directory.rstrip("/"), *names])


@dataclass(frozen=True)
class Stage:
    """A stage of a run: `OUTPUT/.headcount/ID/`, and what is known of the run from its start.

    Attributes:
        output: the directory that the run writes.
        id: the identity of the run: its time, and a random number.
        created: when the run began, in ISO 8601.
        overwrite: whether the run may replace an older one.
        predictions: the directory of the predictions of this run alone, or None.
        host: the machine that the driver runs on.
        local: whether the run ends with its driver, which holds the lock of the output.
    """

    output: str
    id: str
    created: str
    overwrite: bool
    predictions: str | None
    host: str
    local: bool

    @property
    def root(self) -> str:
        """The directory of all stages of the output."""
        return join(self.output, ROOT)

    @property
    def directory(self) -> str:
        """The directory of the stage."""
        return join(self.root, self.id)

    def path(self, name: str) -> str:
        """Returns the path of a file of the stage."""
        return join(self.directory, name)

    def is_of_this_machine(self) -> bool:
        """Returns whether the run is a local one of this machine."""
        return self.local and self.host == socket.gethostname()

    def open(self, store: Store) -> None:
        """Makes the directory of the stage."""
        store.make_directory(self.directory)
        store.write(self.path(_STAGE), json.dumps(asdict(self), indent=1).encode() + b"\n")

    def is_open(self, store: Store) -> bool:
        """Returns whether the stage is there: it is from the start of the run to its end."""
        return store.exists(self.path(_STAGE))

    def close(self, store: Store) -> None:
        """Deletes the stage, and the directory of stages if there is no other."""
        # Whoever finds the rest of a stage without this file knows that it is of no use.
        store.delete([self.path(_STAGE)])
        store.delete_directory(self.directory)
        store.delete_if_empty(self.root)

    def discard(self, store: Store) -> None:
        """Deletes the stage of a run that is not published, and its predictions."""
        if self.predictions is not None:
            delete_predictions(store, self.predictions, self.id)
        self.close(store)


def new_stage(output: str, *, overwrite: bool, predictions: str | None, local: bool) -> Stage:
    """Returns the stage of a new run; `Stage.open` makes its directory.

    Args:
        output: the directory that the run writes.
        overwrite: whether the run may replace an older one.
        predictions: the directory of predictions that the run adds one of its own to, or None.
        local: whether the run ends with its driver.
    """
    now = datetime.now(UTC)
    identity = f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:12]}"
    return Stage(
        output,
        identity,
        now.isoformat(timespec="seconds"),
        overwrite,
        None if predictions is None else join(predictions, identity),
        socket.gethostname(),
        local,
    )


def stage_ids(store: Store, output: str) -> list[str]:
    """Returns the identities of the runs that have a stage below an output, oldest first."""
    return [name for name in store.children(join(output, ROOT)) if _ID.fullmatch(name)]


def read_stage(store: Store, output: str, identity: str) -> Stage | None:
    """Returns a stage below an output; None if there is none that is open."""
    try:
        text = store.read(join(output, ROOT, identity, _STAGE))
    except FileNotFoundError:
        return None
    # The output may have been moved or be known by another name since.
    return Stage(**{**json.loads(text), "output": output, "id": identity})


def delete_predictions(store: Store, directory: str, identity: str) -> None:
    """Deletes the files of predictions that a run wrote, and its directories if they are empty.

    Args:
        store: the store of files.
        directory: the directory of the predictions of this run alone.
        identity: the identity of the run; nothing is deleted in a directory of another name.
    """
    if directory.rstrip("/").rpartition("/")[2] != identity:
        return
    for head in store.children(directory):
        store.delete(_written(store, join(directory, head)))
        store.delete_if_empty(join(directory, head))
    store.delete_if_empty(directory)


def delete_unfinished(store: Store, directory: str) -> None:
    """Deletes the unfinished files that dead workers left in a directory of predictions."""
    for head in store.children(directory):
        paths = _written(store, join(directory, head))
        store.delete([path for path in paths if not path.endswith(".parquet")])


def _written(store: Store, directory: str) -> list[str]:
    """Returns the paths of the files in a directory whose names are those of predictions."""
    names = store.children(directory)
    return [join(directory, name) for name in names if _PREDICTIONS.fullmatch(name)]
