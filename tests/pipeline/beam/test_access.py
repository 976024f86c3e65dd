"""Files that cannot be reached are told of before a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from apache_beam.io.filesystem import FileSystem
from apache_beam.io.localfilesystem import LocalFileSystem
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils import retry

from pipeline.beam import access
from pipeline.errors.faults import StorageError
from tests.pipeline.beam.memory_files import MemoryFiles

ADVICE = "; check the address, the credentials and the network$"


class Clock:
    """Waits between attempts until the test ends."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def sleep(self, seconds: float) -> None:
        self.ended.wait()


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    yield clock
    clock.ended.set()


@pytest.fixture
def asks(memory: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what happens when a path is asked for."""

    def on_exists(act: Callable[[str], object]) -> None:
        monkeypatch.setattr(MemoryFiles, "on_exists", staticmethod(act))

    return on_exists


def connect(*paths: str) -> None:
    access.connect(paths, PipelineOptions([]))


def test_one_file_of_each_bucket_is_asked_for(asks: Callable[..., None]) -> None:
    asked: list[str] = []
    asks(asked.append)
    connect("here/*", "mem://b/x/*/y*.parquet", "mem://c/out/_SUCCESS", "mem://b/z", "mem://d/[a]*")
    assert asked == ["mem://b/x/_SUCCESS", "mem://c/out/_SUCCESS", "mem://d/_SUCCESS"]


def test_what_the_store_says_is_told(memory: dict[str, bytes]) -> None:
    with pytest.raises(StorageError, match="^mem://closed/out: .* is not yours" + ADVICE):
        connect("mem://closed/out")


def test_a_client_that_would_try_again_is_not_waited_for(
    asks: Callable[..., None], clock: Clock
) -> None:
    @retry.with_exponential_backoff(num_retries=1, clock=clock)
    def ask(path: str) -> None:
        raise ConnectionError("the line is dead")

    asks(ask)
    with pytest.raises(StorageError, match="^mem://b/x: .*the line is dead" + ADVICE):
        connect("mem://b/x")


def test_data_may_be_public(asks: Callable[..., None], clock: Clock) -> None:
    clock.ended.set()
    failures = iter([ConnectionError("no credentials")])

    @retry.with_exponential_backoff(clock=clock)
    def _get_credentials_with_retrys(path: str) -> None:
        for failure in failures:
            raise failure

    asks(_get_credentials_with_retrys)
    connect("mem://b/x")


def test_no_answer(
    asks: Callable[..., None], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "ANSWER_SECONDS", 0.01)
    asks(lambda path: clock.sleep(60))
    with pytest.raises(StorageError, match="^mem://b/x: no answer in 0.01 seconds" + ADVICE):
        connect("mem://b/x")


@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("s3://b/x", r"pip install 'headcount\[aws\]'"),
        ("gs://b/x", r"pip install 'headcount\[gcp\]'"),
        ("xyz://b/x", "known: mem"),
    ],
)
def test_what_must_be_installed(path: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "find_spec", lambda name: None)
    # Which others there are depends on what is installed.
    systems = {LocalFileSystem, MemoryFiles}
    monkeypatch.setattr(FileSystem, "get_all_subclasses", lambda: systems)
    scheme = path.partition(":")[0]
    with pytest.raises(StorageError, match=rf"^{path}: nothing is installed that reads {scheme}"):
        connect(path)
    with pytest.raises(StorageError, match=how):
        connect(path)
