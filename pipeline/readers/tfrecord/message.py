"""Builds the protobuf message class `tf.train.Example` at run time, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, text_format

# tensorflow/core/example/feature.proto and example.proto
_DESCRIPTION = """
name: "headcount/example.proto" package: "tensorflow" syntax: "proto3"
message_type {
  name: "BytesList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES }
}
message_type {
  name: "FloatList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_FLOAT }
}
message_type {
  name: "Int64List"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_INT64 }
}
message_type {
  name: "Feature"
  oneof_decl { name: "kind" }
  field {
    name: "bytes_list" number: 1 label: LABEL_OPTIONAL oneof_index: 0
    type: TYPE_MESSAGE type_name: ".tensorflow.BytesList"
  }
  field {
    name: "float_list" number: 2 label: LABEL_OPTIONAL oneof_index: 0
    type: TYPE_MESSAGE type_name: ".tensorflow.FloatList"
  }
  field {
    name: "int64_list" number: 3 label: LABEL_OPTIONAL oneof_index: 0
    type: TYPE_MESSAGE type_name: ".tensorflow.Int64List"
  }
}
message_type {
  name: "Features"
  nested_type {
    name: "FeatureEntry"
    options { map_entry: true }
    field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
    field {
      name: "value" number: 2 label: LABEL_OPTIONAL
      type: TYPE_MESSAGE type_name: ".tensorflow.Feature"
    }
  }
  field {
    name: "feature" number: 1 label: LABEL_REPEATED
    type: TYPE_MESSAGE type_name: ".tensorflow.Features.FeatureEntry"
  }
}
message_type {
  name: "Example"
  field {
    name: "features" number: 1 label: LABEL_OPTIONAL
    type: TYPE_MESSAGE type_name: ".tensorflow.Features"
  }
}
"""


@cache
def example_class() -> Any:
    """Returns the message class, built in a separate descriptor pool.

    TensorFlow registers the same names in the default pool, and names must be unique in a pool.
    """
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(_DESCRIPTION, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def parse_features(record: bytes) -> Mapping[str, Any] | None:
    r"""Returns the `Feature` messages of a record by name, or None if protobuf cannot parse it.

    >>> sorted(parse_features(b"\n\x05\n\x03\n\x01a"))
    ['a']
    """
    example = example_class()()
    try:
        example.ParseFromString(record)
    except message.DecodeError:
        return None
    features: Mapping[str, Any] = example.features.feature
    return features
