"""The engines that the suite runs on, brought once from the registries into a directory of ours.

    python -m tests.engines.installing

brings them before they are needed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from tests.engines import processes

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ROOT / ".engines"
"""Everything that is brought or written; git ignores it, and it may be deleted at any time."""

INSTALLED = ENGINES / "gradle" / "wrapper"
"""What is brought; see `job_server` for the name."""

FLINK = "1.19.3"
JOB_SERVER = "2.62.0"
"""Later Flink runners of Beam are not in Maven's central repository with all they depend on."""

BEAM = version("apache-beam")
BOOT = "github.com/apache/beam/sdks/v2/python/container"
PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism"
FAKE_GCS, FAKE_GCS_VERSION = "github.com/fsouza/fake-gcs-server", "1.56.1"

ADD_OPENS = (
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.text",
    "java.base/java.time",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.util.concurrent.locks",
    "java.base/sun.net.util",
)
"""What Flink's serializers reach into on Java 17."""


class InstallError(Exception):
    """An engine could not be brought; the message says which command failed, and how."""


def flink() -> Path:
    """The directory of Flink's jars: those of the wheel `apache-flink-libraries`."""

    def install(directory: Path) -> None:
        package = f"apache-flink-libraries=={FLINK}"
        options = ["--quiet", "--no-deps", "--no-compile", "--target", str(directory)]
        _call([sys.executable, "-m", "pip", "install", *options, package])

    return _once(f"flink-{FLINK}", install) / "pyflink"


def flink_runner() -> Path:
    """The directory of the jars of Beam's runner for Flink, and of its job server."""

    def install(directory: Path) -> None:
        series = FLINK.rpartition(".")[0]
        properties = [f"-Dflink.series={series}", f"-Dbeam.version={JOB_SERVER}"]
        pom = str(Path(__file__).with_name("pom.xml"))
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={directory}"]
        _call(["mvn", "--quiet", "--batch-mode", "--file", pom, *properties, *goal])
        # Flink itself has these, of the version that runs.
        for jar in [*directory.glob("flink-*.jar")]:
            jar.unlink()

    return _once(f"flink-runner-{JOB_SERVER}", install)


def job_server() -> Path:
    """A jar that only names others: started with `java -jar` it is Beam's job server.

    It sends the jars it was started with to Flink with every job, which takes a second for ten; but
    none that lies below `gradle/wrapper`, as these do. The cluster is started with them.
    """

    def install(directory: Path) -> None:
        jars = [*(flink() / "lib").glob("*.jar"), *flink_runner().glob("*.jar")]
        attributes = {
            "Manifest-Version": "1.0",
            "Main-Class": "org.apache.beam.runners.flink.FlinkJobServerDriver",
            "Add-Opens": " ".join(ADD_OPENS),
            "Class-Path": " ".join(jar.as_uri() for jar in sorted(jars)),
        }
        with zipfile.ZipFile(directory / "job-server.jar", "w") as archive:
            archive.writestr("META-INF/MANIFEST.MF", "".join(_manifest_lines(attributes)))

    return _once(f"job-server-{JOB_SERVER}", install) / "job-server.jar"


def go_program(module: str, version: str = BEAM) -> Path:
    """A program of a Go module: `BOOT` and `PRISM`, of the version of Beam here, or another."""
    name = module.rpartition("/")[2]

    def install(directory: Path) -> None:
        _call(["go", "install", f"{module}@v{version}"], GOBIN=str(directory))

    return _once(f"{name}-{version}", install) / name


def _once(name: str, install: Callable[[Path], None]) -> Path:
    """The directory of this name, filled if it is not there; others wait meanwhile."""
    place = INSTALLED / name
    if not place.exists():
        INSTALLED.mkdir(parents=True, exist_ok=True)
        with (INSTALLED / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                unfinished = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=INSTALLED))
                try:
                    install(unfinished)
                    unfinished.rename(place)
                finally:
                    shutil.rmtree(unfinished, ignore_errors=True)
    return place


def _call(command: list[str], **environment: str) -> None:
    print("installing:", *command, file=sys.stderr)
    try:
        # Whatever ends this program ends the command too, and what that has started.
        with processes.guarded():
            done = subprocess.run(
                command,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=False,
            )
    except FileNotFoundError as error:
        raise InstallError(f"{command[0]} is not installed, and the engines need it") from error
    if done.returncode:
        told = (done.stdout + done.stderr)[-4000:]
        raise InstallError(f"{' '.join(command)} ended with {done.returncode}:\n{told}")


def _manifest_lines(attributes: dict[str, str]) -> Iterable[str]:
    """Lines of at most 72 bytes, as the format asks; a space goes on with the line before."""
    for name, value in attributes.items():
        line = f"{name}: {value}"
        yield line[:70] + "\r\n"
        for start in range(70, len(line), 69):
            yield " " + line[start : start + 69] + "\r\n"


if __name__ == "__main__":
    processes.raise_on_signals()
    job_server()
    for module in (BOOT, PRISM):
        go_program(module)
    go_program(FAKE_GCS, FAKE_GCS_VERSION)
