"""A runner that runs nothing: it leaves the graph it was handed in a file.

GRAPH=FILE python -m pipeline.cli run ... --runner=tests.packaging.graph_writer.GraphWriter
"""

from __future__ import annotations

import os
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import Pipeline
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState


class GraphWriter(PipelineRunner):
    """Writes the pipeline as a runner would send it to workers, to the file that GRAPH names."""

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> PipelineResult:
        Path(os.environ["GRAPH"]).write_bytes(pipeline.to_runner_api().SerializeToString())
        return Failed()


class Failed(PipelineResult):
    """A run that did not take place."""

    def __init__(self) -> None:
        super().__init__(PipelineState.FAILED)

    def wait_until_finish(self, duration: int | None = None) -> str:
        raise RuntimeError("the graph is written")
