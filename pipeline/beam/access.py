"""Checks, quickly and before a run, that files elsewhere can be reached."""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import groupby
from typing import cast

from apache_beam.io.filesystem import FileSystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.beam.files import exists
from pipeline.errors.faults import StorageError
from pipeline.readers.storage import is_local

# Storage clients retry for minutes: that is right for a worker, and too long if the user made a
# mistake.
ANSWER_SECONDS = 60

_EXTRAS = {"s3": "aws", "gs": "gcp"}
_RETRIES = "apache_beam.utils.retry"


def connect(paths: Sequence[str], options: PipelineOptions) -> None:
    """Gives Beam's filesystems their options, and checks that they reach files elsewhere.

    Args:
        paths: globs and files; those on this machine are skipped.
        options: the options of Beam, with credentials and endpoints.

    Raises:
        StorageError: if the first request to a bucket fails or takes long.
    """
    FileSystems.set_options(options)
    remote = sorted(path for path in paths if not is_local(path))
    for _, (path, *_) in groupby(remote, _bucket):
        _check_installed(path)
        _ask(path)


def _bucket(path: str) -> str:
    return "/".join(path.split("/")[:3])


def _check_installed(path: str) -> None:
    scheme = FileSystems.get_scheme(path)
    known = {system.scheme() for system in FileSystem.get_all_subclasses()} - {None}
    # Beam registers its S3 filesystem even if the client that it needs is not installed.
    if find_spec("boto3") is None:
        known.discard("s3")
    if scheme not in known:
        extra = _EXTRAS.get(scheme)
        how = f"pip install 'headcount[{extra}]'" if extra else f"known: {', '.join(sorted(known))}"
        raise StorageError(f"{path}: nothing is installed that reads {scheme}:// ({how})")


def _ask(path: str) -> None:
    """Asks in a thread whether a file exists; when the client retries, the thread is abandoned.

    Raises:
        StorageError: if the first request fails, or there is no answer in time.
    """
    wildcard = re.search(r"[*?\[]", path)
    place = path[: wildcard.start()].rpartition("/")[0] + "/_SUCCESS" if wildcard else path
    answers: queue.SimpleQueue[StorageError | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            exists(place)
        except StorageError as error:
            answers.put(error)
        else:
            answers.put(None)

    def hear(record: logging.LogRecord) -> bool:
        # The arguments are the interval, the function, the error and the traceback.
        _, function, error, _ = cast(tuple[float, str, str, str], record.args)
        # Without credentials Beam goes on, after half a minute: data may be public.
        if function != "_get_credentials_with_retrys":
            answers.put(StorageError(f"{path}: {error.strip()}"))
        return False

    retries = logging.getLogger(_RETRIES)
    retries.addFilter(hear)
    threading.Thread(target=ask, daemon=True).start()
    try:
        error = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        error = StorageError(f"{path}: no answer in {ANSWER_SECONDS} seconds")
    finally:
        retries.removeFilter(hear)
    if error is not None:
        raise StorageError(f"{error}; check the address, the credentials and the network")
