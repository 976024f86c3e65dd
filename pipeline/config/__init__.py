"""The configuration of a run: YAML in, checked and frozen models out.

The descriptions of the fields are the documentation: the JSON schema and docs/config.md are made
of them.
"""

import os
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from pipeline.config.errors import tell
from pipeline.config.fields import (
    Listed,
    Model,
    PlainValue,
    SomeWords,
    Text,
    as_list,
    column_key,
    distinct,
)
from pipeline.config.heads import HeadConfig
from pipeline.config.slices import Confidence, Slices, slice_columns
from pipeline.config.yaml_loader import MAX_BYTES, read_document
from pipeline.errors.problems import ConfigError, Problem
from pipeline.readers.storage import OpenFile, open_local

Globs = Annotated[SomeWords, BeforeValidator(as_list, json_schema_input_type=Text | SomeWords)]
HeadName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,63}$")]


class Where(Model):
    """The rows to keep, by one column."""

    column: Text = Field(description="The column.")
    values: Annotated[tuple[PlainValue, ...], Listed, Field(min_length=1)] = Field(
        description="The values to keep: text, numbers, true, false, or null for a missing value."
    )


class Config(Model):
    """What to evaluate: which files, which rows, which heads."""

    model_config = ConfigDict(title="headcount configuration")

    input: Globs | None = Field(
        None,
        description="The files to read: one glob or a list of them, relative to the working "
        "directory. `--input` overrides it.",
    )
    output: Text | None = Field(
        None, description="The directory to write. `--output` overrides it."
    )
    where: Annotated[tuple[Where, ...], Listed, distinct(column_key)] = Field(
        (),
        description="Keep only the rows that match all entries, one a column. Without it, all.",
    )
    slices: Slices = Field(
        (),
        description="Report parts of the rows apart, by the values of columns. All rows together "
        "always are.",
    )
    min_slice_size: int = Field(
        1,
        ge=1,
        description="Slices of fewer rows are marked as small and take no part in comparisons.",
    )
    max_distinct: int = Field(
        1_000_000,
        ge=1,
        description="An entry of `slices` may have so many distinct values, or combinations of "
        "them, before the rarest are put together. They are counted exactly, and with more the "
        "run fails.",
    )
    max_state_mb: int = Field(
        500,
        ge=1,
        description="So many MB may be kept of all slices together; a run that could need more is "
        "refused before it starts.",
    )
    confidence: Confidence = Field(
        Confidence(), description="How sure the numbers are: the intervals beside them."
    )
    input_manifest: Text | None = Field(
        None,
        description="A list of the files there should be, as CSV with a header: `path`, and any of "
        "`bytes`, `rows` and `crc32c`. What `input` finds must agree with it.",
    )
    allow_empty_shards: bool = Field(
        False, description="Pass over files of no bytes, which otherwise fail the run."
    )
    allow_missing_shards: bool = Field(
        False,
        description="Evaluate though numbers are missing among files named `-00003-of-00010`, or "
        "files of one name say different totals.",
    )
    schema_file: Text | None = Field(
        None,
        description="A tensorflow-metadata `Schema` as text (`.pbtxt`) that all files must follow.",
    )
    environment: Text | None = Field(
        None, description="The environment of the schema that the files are of."
    )
    on_corrupt: Literal["fail", "skip_record", "skip_rest"] = Field(
        "fail",
        description="What to do with a damaged TFRecord file: fail; leave out records whose data "
        "do not match their checksum, which tells where the next one begins; or also what follows "
        "a length that does not match its own. What is lost is counted in data.json.",
    )
    max_record_bytes: int = Field(
        64 << 20, ge=1, le=1 << 29, description="The largest TFRecord record that is accepted."
    )
    max_gzip_ratio: int = Field(
        200,
        ge=1,
        description="A gzip file may decompress to so many times its size; beyond, it is refused.",
    )
    max_bad_fraction: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="So large a share of the rows may be bad and left out; past it the run fails "
        "and publishes data.json alone. 0, unless `max_bad_rows` is given.",
    )
    max_bad_rows: int | None = Field(
        None,
        ge=0,
        description="So many rows may be bad and left out; past it the run fails. Where both are "
        "given, neither may be passed.",
    )
    problem_statement: Text | None = Field(
        None,
        description="A tensorflow-metadata `ProblemStatement` as text: its tasks are heads, of "
        "which type, label, weight and number of classes then need not be said. Scores must be.",
    )
    heads: Annotated[dict[HeadName, HeadConfig], Field(min_length=1)] = Field(
        description="One or more heads, each by a name of at most 64 of a-z, 0-9 and _, "
        "a letter first.",
        json_schema_extra={"additionalProperties": False},
    )

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns that are read, distinct and sorted.

        >>> text = "heads: {spam: {type: binary, logits: score, label: is_spam, weight: score}}"
        >>> parse_config(text, "c.yaml").columns()
        ('is_spam', 'score')
        """
        names = {entry.column for entry in self.where} | slice_columns(self.slices)
        if self.confidence.key is not None:
            names.add(self.confidence.key)
        for head in self.heads.values():
            names |= head.columns()
        return tuple(sorted(names))

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain data for JSON; read again, it is the same."""
        return self.model_dump(mode="json")


def load_config(path: str | os.PathLike[str], open_file: OpenFile = open_local) -> Config:
    """Read a configuration from a YAML file.

    `open_file` opens it, and the problem statement that it may name.

    Raises `ConfigError` with every problem that the file has.
    """
    source = os.fspath(path)
    try:
        with open_file(source) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(source, (), f"cannot be read: {error.strerror}")]) from error
    return _parse(content, source, open_file)


def parse_config(text: str, source: str, open_file: OpenFile = open_local) -> Config:
    """Read a configuration from YAML text; `source` names it in errors.

    `open_file` opens the problem statement that it may name.

    Raises `ConfigError` with every problem that the text has.

    >>> try:
    ...     parse_config("heads: {spam: {type: binary, logit: score, label: spam}}", "c.yaml")
    ... except ConfigError as error:
    ...     print(error)
    c.yaml:1:30: heads.spam.logit: unknown key 'logit'; did you mean 'logits'?
    """
    return _parse(text.encode("utf-8", "surrogatepass"), source, open_file)


def config_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a configuration, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Config.model_json_schema()


def _parse(content: bytes, source: str, open_file: OpenFile) -> Config:
    document = read_document(content, source)
    problems = list(document.problems)
    data = {} if document.data is None else document.data
    if isinstance(data, dict) and isinstance(data.get("problem_statement"), str):
        data = {**data, "heads": _stated_heads(data, source, open_file)}
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += tell(error, document, Config)
    if problems:
        raise ConfigError(problems)
    return config


def _stated_heads(data: dict[str, Any], source: str, open_file: OpenFile) -> dict[str, Any]:
    """The heads of a configuration and of the problem statement that it names."""
    from pipeline.metadata.problem_statement import heads_from, merge_heads

    path, given = data["problem_statement"], data.get("heads")
    try:
        with open_file(path) as file:
            stated = heads_from(file.read().decode("utf-8"))
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        problem = Problem(source, ("problem_statement",), f"{path}: {what}")
        raise ConfigError([problem]) from error
    return merge_heads(stated, given if isinstance(given, dict) else {}, source)
