"""Any text is read or refused: nothing but `ValueError` comes of it."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.config.pbtxt import parse_text
from pipeline.config.problem_statement import heads_from
from pipeline.validation.row_checks import row_checks
from pipeline.validation.schema import parse_schema, schema_problems
from tests.pipeline.tables import law

TOKENS = """
    feature { } name : 'a' "b" type INT FLOAT BYTES 9 9223372036854775808 -1 0.5 inf nan presence
    min_fraction min_count int_domain float_domain string_domain bool_domain min max value domain
    shape dim size value_count tasks binary_classification label label_path step n_classes
    multi_label_classification positive_negative_spec positive_class_value string_value annotation
    extra_metadata [type.googleapis.com/x.Y] < > [ ] , ; # \\ ' " true lifecycle_stage ALPHA
"""


@law
@given(st.lists(st.sampled_from(TOKENS.split()), max_size=20).map(" ".join) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        schema = parse_schema(text)
        schema_problems(schema, None, {})
        row_checks(schema, None, ["a", "b"])
    with contextlib.suppress(ValueError):
        heads_from(text)


def test_the_message_is_filled() -> None:
    schema = parse_text("feature { name: 'a' }", schema_pb2.Schema())
    assert [feature.name for feature in schema.feature] == ["a"]
