"""The configuration: its normal form, its schema, its page, and the ready ones in configs/."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from docs.config_page import config_page
from pipeline.config.load import config_schema, load_config, parse_config
from pipeline.config.model import Config
from tests.pipeline.config.configurations import (
    BINARY,
    IDS,
    TYPES,
    binary,
    configs,
    law,
    multi_label,
    parse,
)

ROOT = Path(__file__).parents[3]
READY = sorted((ROOT / "configs").glob("*.yaml"))
PAGE = ROOT / "docs" / "config.md"


def test_short_forms_are_expanded_and_defaults_filled() -> None:
    text = """\
input: a.parquet
slices: [{column: size}]
heads:
  cancer: {type: binary, logits: s, label: {column: d, vocabulary: [good, bad]}}
  digits: {type: multi_class, n_classes: 3, probability: p, label: y}
  tags: {type: multi_label, n_classes: 2, logits: s, label: {column: t, form: ids}}
"""
    assert parse_config(text, "c.yaml").to_dict() == {
        "input": ["a.parquet"],
        "output": None,
        "where": [],
        "slices": [
            {
                "column": "size",
                "columns": None,
                "values": None,
                "edges": None,
                "max_slices": 10_000,
            }
        ],
        "min_slice_size": 1,
        "max_distinct": 1_000_000,
        "gates": [],
        "max_state_mb": 500,
        "confidence": {"level": 0.95, "folds": 20, "key": None, "max_slices": 200},
        "input_manifest": None,
        "format": None,
        "allow_duplicate_files": False,
        "against_overall": False,
        "allow_empty_shards": False,
        "allow_missing_shards": False,
        "schema_file": None,
        "environment": None,
        "on_corrupt": "fail",
        "max_record_bytes": 64 << 20,
        "max_gzip_ratio": 200,
        "max_bad_fraction": None,
        "max_bad_rows": None,
        "problem_statement": None,
        "plugins": [],
        "heads": {
            "cancer": {
                "type": "binary",
                "logits": {"column": "s", "index": None},
                "probability": None,
                "label": {"column": "d", "vocabulary": ["good", "bad"], "positive": "bad"},
                "weight": None,
                "baseline": None,
                "thresholds": [],
                "logit_thresholds": [],
                "at": {
                    "recall": [0.9],
                    "precision": [0.9],
                    "specificity": [0.95],
                    "false_positive_rate": [0.01],
                    "sensitivity": [0.95],
                },
                "metrics": None,
            },
            "digits": {
                "type": "multi_class",
                "n_classes": 3,
                "logits": None,
                "probability": {"column": "p"},
                "label": {"column": "y", "vocabulary": None},
                "weight": None,
                "baseline": None,
                "class_names": ["class0", "class1", "class2"],
                "class_metrics": [0, 1, 2],
                "thresholds": [],
                "top_k": [],
                "metrics": None,
            },
            "tags": {
                "type": "multi_label",
                "n_classes": 2,
                "logits": {"column": "s"},
                "probability": None,
                "label": {"column": "t", "form": "ids", "vocabulary": None},
                "weight": None,
                "baseline": None,
                "thresholds": [],
                "logit_thresholds": [],
                "class_names": ["class0", "class1"],
                "class_metrics": [0, 1],
                "top_k": [],
                "metrics": None,
            },
        },
    }


def test_long_texts_that_begin_alike_are_not_the_same() -> None:
    path = "a" * 200
    long = [f"{path}/{end}.parquet" for end in "xy"]
    text = f"input: {json.dumps(long)}\n" + binary("logits: s, label: y")
    text += f"\nwhere: [{{column: {path}x, values: [1]}}, {{column: {path}y, values: [1]}}]"
    text += (
        f"\nslices: [{{column: a, values: [{path}x, {path}y]}}, {{column: a, values: [{path}x]}},"
    )
    text += f" {{column: a, values: [{path}y]}}]"
    config = parse_config(text, "c.yaml")
    assert len(config.slices) == 3
    assert config.input == tuple(long)
    assert len(config.where) == 2


def test_class_names_come_from_the_vocabulary_and_class_metrics_become_ids() -> None:
    label = "label: {column: y, form: names, vocabulary: [a, b, c]}"
    head: Any = parse_config(multi_label(f"{label}, class_metrics: [c, 0]"), "c.yaml").heads["h"]
    assert head.class_names == ("a", "b", "c")
    assert head.class_metrics == (2, 0)


@pytest.mark.parametrize(
    ("n_classes", "keys", "class_metrics"),
    [
        (50, "", tuple(range(50))),
        (51, "", ()),
        (50, ", class_metrics: []", ()),
        (51, ", class_metrics: [class50]", (50,)),
    ],
)
def test_up_to_fifty_classes_have_metrics_of_their_own(
    n_classes: int, keys: str, class_metrics: tuple[int, ...]
) -> None:
    text = multi_label(IDS + keys).replace("n_classes: 3", f"n_classes: {n_classes}")
    head: Any = parse_config(text, "c.yaml").heads["h"]
    assert head.class_metrics == class_metrics


def test_values_keep_their_types() -> None:
    text = BINARY + "where: [{column: a, values: [no, '1', 1, 1.0, true, null, 1e-3]}]"
    values = parse_config(text, "c.yaml").where[0].values
    assert [repr(value) for value in values] == ["'no'", "'1'", "1", "1.0", "True", "None", "0.001"]


def test_a_configuration_is_frozen_and_can_be_sent_to_workers() -> None:
    config: Any = load_config(READY[0])
    with pytest.raises(ValidationError):
        config.output = "elsewhere"
    assert pickle.loads(pickle.dumps(config)) == config


def test_columns_are_all_that_is_read() -> None:
    text = """\
where: [{column: split, values: [test]}]
slices: [size, {columns: [site, {column: age, edges: [18]}]}]
confidence: {key: user}
heads:
  a: {type: binary, logits: {column: s, index: 0}, label: {column: y}, weight: w}
  b: {type: multi_class, n_classes: 3, probability: p, label: y}
"""
    config = parse_config(text, "c.yaml")
    assert config.columns() == ("age", "p", "s", "site", "size", "split", "user", "w", "y")


@pytest.mark.slow
@law
@given(configs)
def test_the_normal_form_is_json_and_reads_as_the_same_configuration(data: Any) -> None:
    config = parse(data)
    normal = config.to_dict()
    assert json.dumps(normal, allow_nan=False) == json.dumps(parse(normal).to_dict())
    assert parse(normal) == config
    assert Config.model_validate(normal) == config


def test_the_schema_describes_every_key_and_refuses_others() -> None:
    schema = config_schema()
    assert schema["title"] == "headcount configuration"
    for model in (schema, *schema["$defs"].values()):
        assert model["additionalProperties"] is False
        assert model["description"]
        assert all(key["description"] for key in model["properties"].values())
    head = schema["$defs"]["BinaryHeadConfig"]["properties"]
    assert {"type": "string", "minLength": 1} in head["logits"]["anyOf"]
    heads = schema["properties"]["heads"]
    assert heads["patternProperties"].keys() == {"^[a-z][a-z0-9_]{0,63}$"}
    assert heads["additionalProperties"] is False


def test_the_page_is_current() -> None:
    written = PAGE.read_text("utf-8")
    assert written == config_page(), "run: python -m docs.config_page > docs/config.md"


def test_the_page_names_every_key() -> None:
    schema = config_schema()
    for model in (schema, *schema["$defs"].values()):
        for key in model["properties"]:
            assert f"| `{key}` |" in config_page()


EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_page_is_a_configuration(example: str) -> None:
    assert parse_config(example, "docs/config.md").heads


def test_the_examples_of_the_page_show_every_type_of_head() -> None:
    shown = {head.type for text in EXAMPLES for head in parse_config(text, "page").heads.values()}
    assert shown == set(TYPES.split(", "))


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_ready_configurations_load(path: Path) -> None:
    config = load_config(path)
    assert config.output == f"out/{path.stem}"
    assert all(glob.startswith("configs/data/") for glob in config.input or ())
    assert parse(config.to_dict()) == config


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_ready_configurations_say_what_they_choose(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert sum(line.lstrip().startswith("#") for line in lines) >= 3


def test_there_is_a_ready_configuration_for_each_kind_of_run() -> None:
    assert [path.stem for path in READY] == [
        "binary",
        "binary_probability",
        "binary_tfrecord",
        "contrib_thresholds",
        "directory_columns",
        "gates",
        "logistic_regression",
        "multi_class",
        "multi_class_tfrecord",
        "multi_label",
        "multi_label_names",
        "own_metric",
        "two_heads",
    ]


def test_reading_a_configuration_loads_no_heavy_library() -> None:
    program = (
        "import sys; from pipeline.config.load import load_config; load_config(sys.argv[1]);"
        "heavy = {'numpy', 'pyarrow', 'apache_beam', 'google.protobuf'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(READY[0])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"
