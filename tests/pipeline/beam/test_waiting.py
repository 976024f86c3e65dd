"""A pipeline is ended by a signal, on this machine and on a cluster."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability import job_server
from apache_beam.runners.portability.job_server import StopOnExitJobServer
from apache_beam.utils import thread_pool_executor

from pipeline.beam import waiting
from pipeline.beam.local_runner import make_runner
from pipeline.beam.waiting import Execution
from pipeline.errors.interrupted import REQUEST, Interrupted

LOCAL = PipelineOptions(["--runner=FnApiRunner"])
PORTABLE = PipelineOptions(["--runner=PortableRunner", "--job_endpoint=host:8099"])
DATAFLOW = PipelineOptions(["--runner=DataflowRunner", "--region=here", "--project=mine"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(REQUEST, "number", None)
    monkeypatch.setattr(REQUEST, "until", 0.0)


def come(number: int = signal.SIGTERM) -> None:
    """A signal comes, as the handler of the command sees it in the main thread."""
    REQUEST.number = number


@dataclass
class Result:
    """A job of a cluster, as Beam knows it.

    Attributes:
        cancelled: what happens when it is told to end.
        calls: how often it was.
        state: what the cluster says of it.
    """

    cancelled: Callable[[Result], object] = lambda _: None
    calls: int = 0
    state: str = "RUNNING"
    _job_id: str = "click_1"

    def wait_until_finish(self) -> None:
        come()
        threading.Event().wait()

    def cancel(self) -> None:
        self.calls += 1
        self.cancelled(self)


class DataflowResult(Result):
    def job_id(self) -> str:
        return "2026-11-30_1"


@dataclass
class Pipeline:
    """A pipeline whose runner only submits it."""

    result: Result
    options: PipelineOptions = field(default_factory=lambda: PORTABLE)
    runner: object = None

    def run(self) -> Result:
        return self.result


def interrupted(pipeline: Pipeline) -> tuple[Interrupted, Execution]:
    execution = Execution(pipeline)
    execution.start()
    with pytest.raises(Interrupted) as raised:
        execution.wait()
    return raised.value, execution


def end(result: Result) -> None:
    result.state = "CANCELLED"


def test_a_job_is_cancelled() -> None:
    result = Result(end)
    told, execution = interrupted(Pipeline(result))
    assert (told.number, told.note, result.calls) == (15, "job click_1 was cancelled", 1)
    assert execution.ended()


def test_a_job_that_takes_a_moment_to_end() -> None:
    def cancel(result: Result) -> None:
        threading.Timer(0.05, end, [result]).start()

    told, execution = interrupted(Pipeline(Result(cancel)))
    assert told.note == "job click_1 was cancelled"
    assert execution.ended()


@pytest.mark.parametrize(
    ("result", "options", "place"),
    [
        (Result(), PORTABLE, "job click_1 may still run, cancel it at host:8099"),
        (
            DataflowResult(),
            DATAFLOW,
            "job 2026-11-30_1 may still run, cancel it with `gcloud dataflow jobs cancel"
            " 2026-11-30_1 --region=here --project=mine`",
        ),
    ],
)
@pytest.mark.parametrize(
    ("cancelled", "reason"),
    [
        (lambda _: threading.Event().wait(), "it did not answer for 0 s"),
        (lambda _: None, "it was told to end, and had not after 0 s"),
        (lambda _: [][0], "it could not be cancelled: list index out of range"),
    ],
)
def test_a_job_that_may_still_run_is_named(
    result: Result,
    options: PipelineOptions,
    place: str,
    cancelled: Callable[[Result], object],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "ANSWER_SECONDS", 0.2)
    result.cancelled = cancelled
    told, execution = interrupted(Pipeline(result, options))
    assert told.note == f"{place}: {reason}"
    assert not execution.ended()
    # The command may take this long, and some more to clean up.
    assert REQUEST.until > time.monotonic()


def test_a_job_that_is_only_submitted_is_not_cancelled() -> None:
    result = Result()
    execution = Execution(Pipeline(result))
    execution.start()
    assert (result.calls, execution.ended()) == (0, False)
    result.state = "DONE"
    assert execution.ended()


@dataclass
class Submitting(Pipeline):
    """A pipeline that is being submitted when a signal comes.

    Attributes:
        then: what happens next.
    """

    then: Callable[[], object] = lambda: None

    def run(self) -> Result:
        come()
        self.then()
        return self.result


def test_a_signal_while_a_job_is_submitted() -> None:
    execution = Execution(Submitting(Result(end), then=lambda: time.sleep(0.1)))
    with pytest.raises(Interrupted) as raised:
        execution.start()
    assert raised.value.note == "job click_1 was cancelled"
    assert execution.ended()


def test_a_job_that_is_not_submitted_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "ANSWER_SECONDS", 0.2)
    execution = Execution(Submitting(Result(), then=threading.Event().wait))
    with pytest.raises(Interrupted) as raised:
        execution.start()
    assert raised.value.note == "the job was being submitted, and may run"
    assert not execution.ended()


def test_a_job_that_cannot_be_submitted() -> None:
    execution = Execution(Submitting(Result(), then=lambda: [][0]))
    with pytest.raises(Interrupted) as raised:
        execution.start()
    assert raised.value.note == ""
    assert execution.ended()


def test_a_job_server_does_not_take_the_signal() -> None:
    """The one that Beam starts ends when it comes, before the job can be cancelled."""
    server = StopOnExitJobServer(SimpleNamespace(start=lambda: "localhost:1", stop=lambda: None))
    before = signal.getsignal(signal.SIGINT)
    pipeline = Submitting(Result(end), then=server.start)
    with pytest.raises(Interrupted):
        Execution(pipeline).start()
    assert pipeline.result.calls == 1
    assert signal.getsignal(signal.SIGINT) is before
    server.stop()
    assert job_server.signal is signal


def local(*steps: Callable[[int], object]) -> Execution:
    """The execution of a pipeline in this process."""
    pipeline = beam.Pipeline(make_runner(LOCAL), LOCAL)
    elements = pipeline | beam.Create([1])
    for number, step in enumerate(steps):
        elements = elements | f"step {number}" >> beam.Map(step)
    return Execution(pipeline)


@dataclass
class Work:
    """A step that never ends by itself; Beam works with a copy of it."""

    directory: Path

    def __call__(self, _: int) -> None:
        try:
            # It may be stopped as soon as the file is there.
            (self.directory / "begun").touch()
            while True:
                time.sleep(0.01)
        finally:
            (self.directory / "ended").touch()


@pytest.mark.parametrize("kind", [Interrupted(signal.SIGTERM), KeyboardInterrupt()])
def test_work_in_this_process_is_stopped(
    kind: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the caller has no handlers, and Python raises `KeyboardInterrupt` itself."""

    def interrupt() -> None:
        if (tmp_path / "begun").exists():
            raise kind

    monkeypatch.setattr(waiting, "check", interrupt)
    before = set(threading.enumerate())
    execution = local(Work(tmp_path))
    with pytest.raises(type(kind)):
        execution.start()
    assert execution.ended()
    # It had ended before the exception was raised here.
    assert (tmp_path / "ended").exists()
    assert not any(thread.name == "pipeline" for thread in {*threading.enumerate()} - before)


def meet(threads: int) -> None:
    """Does work in so many threads of Beam's pool at once, which are idle afterwards."""
    pool = thread_pool_executor.shared_unbounded_instance()
    barrier = threading.Barrier(threads)
    for future in [pool.submit(barrier.wait, 60) for _ in range(threads)]:
        future.result(60)


def test_what_was_stopped_does_not_hang_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As in a notebook: the threads of Beam's pool stay for later runs in the process."""
    meet(8)

    def interrupt() -> None:
        if (tmp_path / "begun").exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(waiting, "check", interrupt)
        with pytest.raises(KeyboardInterrupt):
            local(Work(tmp_path)).start()
    meet(8)
    local(int).start()
    assert "Traceback" not in capfd.readouterr().err


def test_a_signal_before_the_start_starts_nothing() -> None:
    come()
    execution = local(lambda _: pytest.fail("it ran"))
    with pytest.raises(Interrupted):
        execution.start()
    assert execution.ended()


@pytest.mark.parametrize("error", [SystemExit(0), MemoryError(), KeyboardInterrupt()])
def test_a_thread_that_ends_otherwise_fails_the_run(error: BaseException) -> None:
    def fail(_: int) -> None:
        raise error

    with pytest.raises(Exception, match=type(error).__name__):
        local(fail).start()
