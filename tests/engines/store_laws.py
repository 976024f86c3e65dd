"""What must hold on every object store; the test file of a store inherits it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import cli
from pipeline.beam import run
from pipeline.beam.files import open_file
from pipeline.beam.listing import list_shards
from pipeline.errors.faults import DataFault
from pipeline.readers.stamps import held
from pipeline.runs import outputs
from tests.e2e.conftest import make_rows
from tests.engines.object_stores import ROOT, Bucket, Store

CONFIG = "heads: {click: {type: binary, logits: logit, label: label, weight: weight}}"
FULL = f"""
slices: [country, {{column: day, values: [0, 2]}}]
confidence: {{folds: 10}}
{CONFIG}
"""
STATED = """
problem_statement: URL/settings/problem.pbtxt
schema_file: URL/settings/schema.pbtxt
heads: {click: {logits: logit}}
"""
SETTINGS = {
    "problem.pbtxt": 'tasks { name: "click" type { binary_classification { label: "label" } } }',
    "schema.pbtxt": 'feature { name: "logit" type: FLOAT presence { min_fraction: 1 } }',
}
FACTS_OF_ROWS = (
    "report.json",
    "metrics.parquet",
    "states.zip",
    "statistics.pb",
    "anomalies.pbtxt",
)


class Place:
    """A bucket, a directory of this machine with the same files, and runs of the command.

    Args:
        store: the object store.
        folder: the directory.
        name: the bucket.
    """

    def __init__(self, store: Store, folder: Path, name: str) -> None:
        self.url = f"{store.scheme}://{name}"
        self.store = store
        self.folder = folder
        self.bucket: Bucket = store.bucket(name)
        (folder / "config.yaml").write_text(CONFIG)

    def put(self, key: str, content: bytes) -> None:
        """A file in the bucket and here."""
        self.bucket.put(key, content)
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def put_rows(self, shards: int = 3) -> None:
        """Parquet files `in/day=N/part-N.parquet`; the directory is no column that is read."""
        rows = make_rows(300)
        size = 300 // shards
        for number in range(shards):
            path = self.folder / "rows.parquet"
            pq.write_table(rows.slice(number * size, size), path)
            self.put(f"in/date=2026-11-0{number + 1}/part-{number}.parquet", path.read_bytes())

    def run(self, base: str, *more: str, files: str = "in/**", output: str = "out") -> int:
        """Runs over files of the bucket or of the directory."""
        config = ["--config", str(self.folder / "config.yaml")]
        places = ["--input", f"{base}/{files}", "--output", f"{base}/{output}"]
        return cli.main(["run", *config, *places, *more])

    def output(self, output: str = "out") -> set[str]:
        """The names of the files of a run in the bucket."""
        keys = self.bucket.keys()
        return {key.removeprefix(f"{output}/") for key in keys if key.startswith(f"{output}/")}


class StoreLaws:
    """Runs on an object store and what they leave, against runs on this machine.

    The module of a subclass has a fixture `place`.
    """

    def test_a_run_writes_what_one_on_local_files_does(
        self, place: Place, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (place.folder / "config.yaml").write_text(FULL)
        place.put_rows()
        assert place.run(str(place.folder)) == 0
        printed = capsys.readouterr().out
        assert place.run(place.url) == 0
        assert capsys.readouterr().out == printed.replace(str(place.folder), place.url)
        local = {path.name for path in (place.folder / "out").iterdir()}
        assert place.output() == local
        for name in FACTS_OF_ROWS:
            assert place.bucket.get(f"out/{name}") == (place.folder / "out" / name).read_bytes()
        data = (place.folder / "out" / "data.json").read_text()
        assert place.bucket.get("out/data.json").decode() == data.replace(
            str(place.folder), place.url
        )

    def test_finished_runs_are_shown_and_compared(
        self, place: Place, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place.put_rows(2)
        for output, score in (("old", "logit"), ("new", "older")):
            (place.folder / "config.yaml").write_text(CONFIG.replace("logit,", f"{score},"))
            assert place.run(place.url, output=output) == 0
            assert place.run(str(place.folder), output=output) == 0
        capsys.readouterr()
        printed = []
        for base in (place.url, str(place.folder)):
            assert cli.main(["show", f"{base}/new"]) == 0
            runs = [f"{base}/old", f"{base}/new/"]
            assert cli.main(["diff", *runs, "--output", f"{base}/diff.json"]) == 0
            printed.append(capsys.readouterr().out.replace(base, ""))
        assert printed[0] == printed[1]
        assert place.bucket.get("diff.json") == (place.folder / "diff.json").read_bytes()

    def test_a_second_run_needs_overwrite_and_replaces_the_first(
        self, place: Place, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place.put_rows()
        assert place.run(place.url) == 0
        first = place.bucket.get("out/report.json")
        assert place.run(place.url) == 6
        assert "--overwrite" in capsys.readouterr().err
        assert place.run(place.url, "--overwrite", files="in/*/part-1.parquet") == 0
        assert place.bucket.get("out/report.json") != first
        assert {"_SUCCESS", "report.json"} <= place.output()
        # A run that fails leaves the older one, and its data report beside it.
        before = {name: place.bucket.get(f"out/{name}") for name in place.output()}
        assert place.run(place.url, "--overwrite", files="none/*") == 4
        failed = {"failed/data.json", "failed/anomalies.pbtxt"}
        assert place.output() == before.keys() | failed
        assert {name: place.bucket.get(f"out/{name}") for name in before} == before
        (problem,) = json.loads(place.bucket.get("out/failed/data.json"))["problems"]
        assert problem.startswith(f"no file matches {place.url}/none/*")

    def test_a_damaged_file_is_named(
        self, place: Place, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place.put_rows()
        key = "in/date=2026-11-02/part-1.parquet"
        place.bucket.put(key, place.bucket.get(key)[:-100])
        assert place.run(place.url) == 4
        assert f"{place.url}/{key}" in capsys.readouterr().err
        assert place.output() == {"data.json", "anomalies.pbtxt"}

    def test_a_run_that_fails_takes_its_stage_away(
        self, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place.put_rows()

        def fail(*what: object) -> None:
            assert any(name.startswith(".headcount/") for name in place.output("failed"))
            raise RuntimeError("a worker failed")

        with monkeypatch.context() as patch:
            patch.setattr(outputs, "build_report", fail)
            assert place.run(place.url, output="failed") == 5
        assert "a worker failed" in capsys.readouterr().err
        assert place.output("failed") == set()
        rows = make_rows(50)
        logits = rows["logit"].to_pylist()
        logits[7] = float("nan")
        at = rows.column_names.index("logit")
        bad = rows.set_column(at, "logit", pa.array(logits, pa.float32()))
        pq.write_table(bad, place.folder / "bad.parquet")
        place.bucket.put("in/bad.parquet", (place.folder / "bad.parquet").read_bytes())
        assert place.run(place.url, output="bad") == 4
        assert f"{place.url}/in/bad.parquet: row 7" in capsys.readouterr().err
        assert place.output("bad") == {"data.json", "anomalies.pbtxt"}

    def test_compressed_records(self, place: Place) -> None:
        (place.folder / "config.yaml").write_bytes(
            (ROOT / "configs/binary_tfrecord.yaml").read_bytes()
        )
        for path in (ROOT / "configs/data/breast_cancer/tfrecord").iterdir():
            place.put(f"in/{path.name}", path.read_bytes())
        assert place.run(str(place.folder)) == 0
        assert place.run(place.url) == 0
        for name in ("report.json", "states.zip"):
            assert place.bucket.get(f"out/{name}") == (place.folder / "out" / name).read_bytes()

    def test_settings_and_predictions_may_be_in_the_bucket(self, place: Place) -> None:
        place.put_rows()
        for name, text in SETTINGS.items():
            place.put(f"settings/{name}", text.encode())
        config = STATED.replace("URL", place.url).encode()
        place.put("settings/config.yaml", config)
        place.put("config.yaml", config)
        option = "--write_predictions"
        assert place.run(str(place.folder), option, f"{place.folder}/predictions") == 0
        remote = ["--config", f"{place.url}/settings/config.yaml"]
        assert cli.main(["validate", *remote, "--input", f"{place.url}/in/**"]) == 0
        assert place.run(place.url, *remote, option, f"{place.url}/predictions") == 0
        assert (
            place.bucket.get("out/report.json") == (place.folder / "out/report.json").read_bytes()
        )
        written = place.output("predictions")
        assert len(written) == 3
        tables = [
            pq.read_table(path).drop("file")
            for path in sorted((place.folder / "predictions").rglob("*.parquet"))
        ]
        assert len(tables) == 3
        prefix = json.loads(place.bucket.get("out/manifest.json"))["predictions"]
        assert all(f"{place.url}/predictions/{name}".startswith(prefix) for name in written)
        # Those of another run are beside them, and go with it.
        more = (option, f"{place.url}/predictions")
        for overwrite in ((), ("--overwrite",)):
            assert place.run(place.url, *more, *overwrite, output="other") == 0
            assert len(place.output("predictions")) == 6
        assert written < place.output("predictions")

    @pytest.mark.parametrize(
        ("listed", "code"),
        [(["0", "1", "2"], 0), (["0", "1"], 4), (["0", "1", "2", "9"], 4)],
    )
    def test_a_manifest_in_the_bucket(
        self, place: Place, listed: list[str], code: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place.put_rows()
        lines = [f"date=2026-11-0{int(n) + 1}/part-{n}.parquet,100" for n in listed]
        place.bucket.put("in/files.csv", "\n".join(["path,rows", *lines, ""]).encode())
        text = f"input_manifest: {place.url}/in/files.csv\n{CONFIG}"
        (place.folder / "config.yaml").write_text(text)
        assert place.run(place.url, files="in/**.parquet") == code
        said = capsys.readouterr().err
        assert ("manifest" in said) == bool(code)
        assert "Traceback" not in said

    def test_a_folder_is_a_prefix(self, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
        place.put_rows()
        place.bucket.put("in/date=2026-11-01/", b"")
        assert place.run(place.url) == 0
        expected = place.bucket.get("out/report.json")
        for number, files in enumerate(("in", "in/", "in/*")):
            assert place.run(place.url, files=files, output=f"out{number}") == 0
            assert place.bucket.get(f"out{number}/report.json") == expected
            assert b"all files below" in place.bucket.get(f"out{number}/data.json")
        capsys.readouterr()
        place.bucket.put("in/_delta_log/0.json", b"{}")
        for files in ("in", "in/*/*.parquet", "in/date=2026-11-01/*"):
            assert place.run(place.url, files=files, output="table") == 4
            assert f"{place.url}/in is a Delta Lake table" in capsys.readouterr().err

    def test_a_file_that_changes_during_a_run_is_named(
        self,
        place: Place,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        place.put_rows()
        key = "in/date=2026-11-02/part-1.parquet"
        build = run.build

        def change(*job: object) -> object:
            content = bytearray(place.bucket.get(key))
            content[-20] ^= 1
            place.bucket.put(key, bytes(content))
            return build(*job)

        monkeypatch.setattr(run, "build", change)
        assert place.run(place.url) == 4
        assert f"{place.url}/{key}: changed_file: " in capsys.readouterr().err

    def test_a_large_file_is_read_of_one_version(self, place: Place) -> None:
        FileSystems.set_options(PipelineOptions([]))
        path = f"{place.url}/in/large.parquet"
        place.bucket.put("in/large.parquet", bytes(3 << 20))
        (shard,) = list_shards([path])

        def read() -> bytes:
            with held(path, shard.stamp, open_file)(path) as stream:
                first = stream.read(9)
                place.bucket.put("in/large.parquet", b"x" * (3 << 20))
                return first + stream.read()

        # Whoever reads on gets the old version, or none.
        with suppress(DataFault):
            assert read() == bytes(3 << 20)
        with pytest.raises(DataFault, match=f"{path}: changed_file"):
            held(path, shard.stamp, open_file)(path)

    def test_what_is_not_there(self, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
        place.put_rows()
        for command, said in {
            ("show", f"{place.url}/none"): "there is no _SUCCESS",
            ("diff", f"{place.url}/none", f"{place.url}/none"): "there is no _SUCCESS",
            ("validate", "--config", f"{place.url}/none.yaml"): "cannot be read: No such file",
            ("show", f"{place.url}/none", "--s3_endpoint_ur=x"): "did you mean --s3_endpoint_url?",
        }.items():
            assert cli.main(command) == 2
            error = capsys.readouterr().err
            assert said in error, error
            assert "Traceback" not in error
        stated = STATED.replace("URL", place.url)
        (place.folder / "config.yaml").write_text(stated)
        assert place.run(place.url) == 2
        assert "problem_statement" in capsys.readouterr().err

    def test_an_output_in_a_missing_bucket_is_told_before_rows_are_read(
        self, place: Place, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place.put_rows()
        missing = f"{place.store.scheme}://there-is-none/out"
        mark = place.store.mark()
        assert place.run(place.url, "--output", missing) == 2
        error = capsys.readouterr().err
        assert missing in error
        assert "Traceback" not in error
        reads = [line for line in place.store.requests(mark) if "part-0" in line]
        assert len(reads) <= 3


def requests_of(place: Place, mark: int, name: str) -> dict[str, int]:
    """How many requests of each method there were for a file."""
    found: dict[str, int] = {}
    for line in place.store.requests(mark):
        method, path, _ = line.split(" ")
        if name in path:
            found[method] = found.get(method, 0) + 1
    return found


def without(environment: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    """An environment without variables that begin so."""
    return {n: v for n, v in environment.items() if not n.startswith(prefixes)}
