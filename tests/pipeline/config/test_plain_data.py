"""Configurations that are given in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.load import as_config, load_config, parse_config
from pipeline.config.yaml_loader import MAX_DEPTH
from pipeline.errors.problems import ConfigError

HEAD = {"type": "binary", "logits": "s", "label": "y"}


def test_a_dict_is_what_the_file_is(tmp_path: Path) -> None:
    text = "output: out\nslices: [a, {column: b, edges: [1, 2.5]}]\nheads:\n  h: {type: binary,"
    text += " logits: s, label: y, thresholds: [0.25, 0.5]}"
    given: dict[str, Any] = {
        "output": Path("out"),
        "slices": ("a", {"column": np.str_("b"), "edges": [np.int64(1), 2.5]}),
        "heads": {"h": {**HEAD, "thresholds": np.array([0.25, 0.5])}},
    }
    path = tmp_path / "c.yaml"
    path.write_text(text)
    config = parse_config(text, "c.yaml")
    assert as_config(given) == (config, "config")
    assert as_config(config) == (config, "config")
    assert as_config(path) == as_config(str(path)) == (load_config(path), str(path))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "config: key 'heads' is missing"),
        (
            {"heads": {"h": {**HEAD, "treshold": 1}}},
            "heads.h.treshold: unknown key 'treshold'; did",
        ),
        ({"heads": {"h": {**HEAD, 3: 4}}}, "config: heads.h: a key must be text, not '3'"),
        ({"heads": {"h": {**HEAD, "label": {1, 2}}}}, "heads.h.label: set is nothing that a"),
        ({"heads": {"h": {**HEAD, "label": "a\0"}}}, "heads.h.label: the character U+0000 cannot"),
        ({"heads": {"h": {**HEAD, "a\0": "b"}}}, "the character U+0000 cannot"),
        ({"heads": {"h": HEAD}, "max_distinct": 1 << 64}, "max_distinct: no 64-bit column"),
        ({"heads": {"h": HEAD}, "min_slice_size": True}, "expected a whole number, not true"),
        ({"heads": {"h": {**HEAD, "thresholds": [float("nan")]}}}, "heads.h.thresholds"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        as_config(given)
    assert told in str(error.value)


def test_what_holds_itself_ends() -> None:
    given: dict[str, Any] = {}
    given["heads"] = given
    with pytest.raises(ConfigError, match="nested too deeply"):
        as_config(given)
    assert MAX_DEPTH < 100


@pytest.mark.parametrize("given", [[1], None, 3, b"c.yaml"])
def test_what_is_no_configuration(given: Any) -> None:
    with pytest.raises(TypeError, match="config is the path of a YAML file, a dict or a Config"):
        as_config(given)
