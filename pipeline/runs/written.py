"""The paths that a run writes, held against those that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.errors.problems import ConfigError, Problem
from pipeline.readers.would_read import would_read
from pipeline.runs.file_names import FAILED_DIRECTORY, FAILED_FILES, FILES
from pipeline.runs.stage import Stage, join

_PREDICTIONS = f"part-{0:016x}.parquet"


def check_not_read(stage: Stage, heads: Sequence[str], inputs: Sequence[str], source: str) -> None:
    """Checks that the globs of a run would not read what the run leaves, now or next time.

    A link to a file that the run would replace counts as that file.

    Args:
        stage: the stage of the run.
        heads: the names of the heads.
        inputs: the globs.
        source: the name of the configuration file, for messages.

    Raises:
        ConfigError: if they would.
    """
    options = {path: option for option, path in _written(stage, heads)}
    path = would_read(inputs, list(options))
    if path is not None:
        message = f"{path} would be read as input; choose another directory, or narrower globs"
        raise ConfigError([Problem(source, (options[path],), message)])


def _written(stage: Stage, heads: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the paths that a run writes, with the option that says where."""
    for name in FILES:
        yield "output", join(stage.output, name)
    for name in FAILED_FILES:
        yield "output", join(stage.output, FAILED_DIRECTORY, name)
    if stage.predictions is not None:
        for head in heads:
            yield "write_predictions", join(stage.predictions, head, _PREDICTIONS)
