"""Worker processes: what they find, and what follows when one of them ends."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcServer, StateServicer
from apache_beam.runners.worker import data_plane

from pipeline.beam import worker_process
from pipeline.beam.local_runner import LocalRunner, make_runner
from pipeline.beam.worker_process import (
    WorkerEnded,
    WorkerProcess,
    worker_command,
    worker_environment,
)

ROOT = str(Path(__file__).resolve().parents[3])
TWO = PipelineOptions(
    ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
)


def path_of(environment: dict[str, str], *path: str) -> list[str]:
    return worker_environment(environment, path)["PYTHONPATH"].split(os.pathsep)


@pytest.mark.parametrize(
    ("named", "path", "found"),
    [
        # The command of an installed package, and its environment.
        (None, ["/venv/bin", "/python", "/site"], ["/venv/bin", "/python", "/site"]),
        # `python -m` or `python -c` put the working directory first.
        (None, ["HERE", "/site"], ["/site"]),
        (None, ["", "/site"], ["/site"]),
        # An empty entry of `PYTHONPATH` is the working directory, and nobody means it.
        ("", ["HERE", "/site"], ["/site"]),
        (":/mine", ["HERE", "/mine", "/site"], ["/mine", "/site"]),
        # What the user names, in any way, stays where it is.
        (".", ["HERE", "/site"], ["HERE", "/site"]),
        ("/mine:HERE", ["/mine", "HERE", "/site"], ["/mine", "HERE", "/site"]),
        ("below", ["HERE/below", "/site"], ["HERE/below", "/site"]),
        # Python may have been told of relative places later.
        (None, ["below", "/site", "below"], ["HERE/below", "/site"]),
    ],
)
def test_workers_have_the_path_of_the_command_without_the_working_directory(
    named: str | None,
    path: list[str],
    found: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path)
    environment = {} if named is None else {"PYTHONPATH": named.replace("HERE", here)}
    expected = [place.replace("HERE", here) for place in found]
    assert path_of(environment, *(place.replace("HERE", here) for place in path)) == [
        *expected,
        # The last resort, as nothing above has headcount.
        ROOT,
    ]


def test_workers_of_a_pipeline_of_ones_own_keep_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = worker_environment({}, ["", "/site"], keep_here=True)["PYTHONPATH"]
    assert found.split(os.pathsep) == [str(tmp_path), "/site", ROOT]


def test_headcount_itself_may_be_in_the_working_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert path_of({}, ROOT, "/site") == path_of({}, "", "/site") == [ROOT, "/site"]


def test_a_worker_imports_what_the_command_does_and_nothing_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json.py", "numpy.py", "proto.py", "pipeline/__init__.py", "heads/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise ImportError('of the working directory')")
    monkeypatch.chdir(tmp_path)
    code = (
        "import heads, json, numpy, pipeline, sys; print(pipeline.__file__, *sys.path, sep='\\n')"
    )
    interpreter, *flags = worker_command()
    module = flags.index("-m")
    done = subprocess.run(
        [interpreter, *flags[:module], "-c", code],
        env=worker_environment(os.environ, ["", *sys.path]),
        capture_output=True,
        text=True,
        check=True,
    )
    package, *path = done.stdout.splitlines()
    assert package == f"{ROOT}/pipeline/__init__.py"
    assert str(tmp_path) not in path
    assert "" not in path


def test_a_worker_ends_with_the_command(tmp_path: Path) -> None:
    """Whatever ends the command, the other end of the worker's standard input is closed."""
    package = tmp_path / "apache_beam" / "runners" / "worker"
    package.mkdir(parents=True)
    for directory in (package, package.parent, package.parent.parent):
        (directory / "__init__.py").touch()
    (package / "sdk_worker_main.py").write_text(
        "import time\ndef main(arguments):\n    print('works', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen(
        worker_command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=worker_environment(os.environ, [str(tmp_path), *sys.path]),
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            assert worker.stdout.readline() == b"works\n"
            worker.stdin.close()
            assert worker.wait(timeout=60) == 1
            assert worker.stdout.read() == b""
        finally:
            worker.kill()


def children() -> set[int]:
    """The processes that this one has started and that run, or that nobody has waited for."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for path in lists for pid in path.read_text().split()}


def run(step: beam.PTransform) -> None:
    pipeline = beam.Pipeline(make_runner(TWO), TWO)
    _ = pipeline | beam.Create(range(4)) | beam.Reshuffle() | step
    pipeline.run()


@pytest.mark.parametrize("one", [True, False])
def test_a_worker_that_ends_at_its_start_ends_the_run(
    one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'pipeline.beam.worker' in sys.orig_argv:\n"
        f"    first = not {one}\n"
        "    try:\n"
        f"        os.close(os.open({str(tmp_path / 'first')!r}, os.O_CREAT | os.O_EXCL))\n"
        "        first = True\n"
        "    except FileExistsError:\n"
        "        pass\n"
        "    if first:\n"
        "        print('no license for this machine', file=sys.stderr, flush=True)\n"
        "        os._exit(7)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = children()
    expected = "ended with exit code 7 before its work was done: no license for this machine$"
    with pytest.raises(WorkerEnded, match=expected):
        run(beam.Map(print))
    # The other one has ended as well, and nothing of what happened was printed.
    assert children() <= before
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_is_killed_ends_the_run(capfd: pytest.CaptureFixture[str]) -> None:
    def die(_: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    before = children()
    with pytest.raises(WorkerEnded, match="killed by SIGKILL, as the system does when memory"):
        run(beam.Map(die))
    assert children() <= before
    assert "Traceback" not in capfd.readouterr().err


def test_workers_that_hang_are_stopped() -> None:
    runner = make_runner(TWO)
    assert isinstance(runner, LocalRunner)
    pipeline = beam.Pipeline(runner, TWO)
    _ = pipeline | beam.Create([1]) | beam.Map(lambda _: time.sleep(60))
    before = children()
    failures: list[Exception] = []

    def work() -> None:
        try:
            pipeline.run()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while len(children() - before) < 2:
        time.sleep(0.01)
    runner.stop(thread)
    assert children() <= before
    # Beam notices, and starts no other.
    thread.join()
    assert children() <= before
    assert "stopped" in str(failures[0])


def test_nothing_waits_for_a_worker_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for what it answers nor for what it sends, nor for room in what is sent to it."""
    idle = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(worker_process, "worker_command", lambda: idle)
    monkeypatch.setattr(data_plane, "_DEFAULT_SEND_QUEUE_MAX_BYTES", 1 << 10)
    provision, server = ExtendedProvisionInfo(), GrpcServer(StateServicer(), None, None)
    handler = WorkerProcess(b"", StateServicer(), provision, server)
    handler.start_worker()
    outcomes: queue.SimpleQueue[object] = queue.SimpleQueue()

    def wait(work: Callable[[], object]) -> None:
        try:
            outcomes.put(work())
        except WorkerEnded as error:
            outcomes.put(str(error))

    def send() -> str:
        for number in range(8):
            stream = handler.data_conn.output_stream("1", str(number))
            stream.write(b"x" * 2000)
            stream.close()
        return "sent"

    asked = handler.control_conn.push(beam_fn_api_pb2.InstructionRequest())
    waiting: list[Callable[[], object]] = [
        asked.get,
        lambda: list(handler.data_conn.input_elements("1", ["write"])),
        send,
    ]
    for work in waiting:
        threading.Thread(target=wait, args=(work,), daemon=True).start()
    handler._process.kill()
    ended = "a worker process was killed by SIGKILL, as the system does when memory runs out"
    assert sorted(str(outcomes.get(timeout=60)) for _ in waiting) == [ended, ended, "sent"]
    # What asks later learns it at once, and no other worker is started.
    with pytest.raises(WorkerEnded):
        handler.control_conn.push(beam_fn_api_pb2.InstructionRequest()).get()
    with pytest.raises(WorkerEnded):
        handler.start_worker()
    handler.close()
    server.close()


def test_a_worker_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "END_SECONDS", 0.5)

    def stay(_: int) -> None:
        # Python waits for the thread when the worker ends.
        threading.Thread(target=time.sleep, args=(60,)).start()

    before = children()
    run(beam.Map(stay))
    assert children() <= before
