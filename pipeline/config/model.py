"""The model of the configuration of a run.

The descriptions of the fields, and the docstrings of the models, are the documentation: the JSON
schema and docs/config.md consist of them.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr, StringConstraints

from pipeline.config.fields import (
    Listed,
    Model,
    Modules,
    PlainValue,
    SomeWords,
    Text,
    as_list,
    column_key,
    distinct,
)
from pipeline.config.gates import MAX_GATES, Gates
from pipeline.config.heads import HeadConfig, refuse_too_many_classes
from pipeline.config.slices import MAX_ENTRIES, Confidence, Slices, slice_columns

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
    where: Annotated[
        tuple[Where, ...], Listed, Field(max_length=MAX_ENTRIES), distinct(column_key)
    ] = Field(
        (),
        description="Keep only the rows that match all entries, one a column and at most 1,000. "
        "Without it, all.",
    )
    slices: Slices = Field(
        (),
        description="Report parts of the rows apart, by the values of columns. All rows together "
        "always are. At most 1,000 entries.",
    )
    min_slice_size: int = Field(
        1,
        ge=1,
        description="Slices of fewer rows are marked as small and take no part in comparisons.",
    )
    against_overall: bool = Field(
        False,
        description="Compare every slice with overall: the report has the difference and the ratio "
        "of each metric, with intervals.",
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
    gates: Gates = Field(
        (),
        description="The limits that the model must keep to be let through: `headcount run` ends "
        f"with exit code 3 if it does not. At most {MAX_GATES:,}. `--gates` overrides them.",
    )
    input_manifest: Text | None = Field(
        None,
        description="A list of the files there should be, as CSV with a header: `path`, and any of "
        "`bytes`, `rows` and `crc32c`. What `input` finds must agree with it.",
    )
    format: Literal["parquet", "tfrecord"] | None = Field(
        None,
        description="The format of all files. Without it names tell it, `.parquet`, `.pq`, "
        "`.tfrecord` and `.tfrecords`, and the first bytes of a file do where its name does not. "
        "Whether a TFRecord file is compressed its first bytes always tell.",
    )
    allow_duplicate_files: bool = Field(
        False,
        description="Evaluate though files of 100 rows or more hold the same rows, as copies do.",
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
    plugins: Modules = Field(
        (),
        description="Modules of your own that offer metrics: `my_metrics` for `my_metrics.py`, or "
        "a package, beside this file, and if neither is there for an installed module. To run or "
        "to validate the configuration imports them.",
    )
    heads: Annotated[
        dict[HeadName, HeadConfig], Field(min_length=1), BeforeValidator(refuse_too_many_classes)
    ] = Field(
        description="One or more heads, each by a name of at most 64 of a-z, 0-9 and _, "
        "a letter first. Together they have at most 1,000,000 classes and 100,000 metrics.",
        json_schema_extra={"additionalProperties": False},
    )

    # Set where the file is known, for its plugins; it makes no other configuration.
    _directory: str | None = PrivateAttr(None)

    @property
    def directory(self) -> str | None:
        """The directory of the file, where its plugins may be; None if it was in no local file."""
        return self._directory

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self.__dict__ == other.__dict__

    def in_directory(self, directory: str) -> "Config":
        """Returns the same configuration, whose file is in a directory."""
        found = self.model_copy()
        found._directory = directory
        return found

    def columns(self) -> tuple[str, ...]:
        """Returns the names of the columns that are read, distinct and sorted.

        >>> text = "heads: {spam: {type: binary, logits: score, label: is_spam, weight: score}}"
        >>> from pipeline.config.load import parse_config
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
        """Returns the configuration as plain data for JSON.

        Reading these data gives an equal configuration.
        """
        return self.model_dump(mode="json")
