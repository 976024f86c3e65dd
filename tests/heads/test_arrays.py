"""Tests of arguments as arrays: what loses a mask, a null or a dtype is refused or read right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse

from heads import BinaryClassHead, MultiClassHead, MultiLabelHead
from heads.arrays import as_array

COLUMN = np.array([[1.0], [-2.0]])


def with_numbers(values: Any) -> Any:
    """Fills an array of objects."""
    out = np.empty(np.shape(values), object)
    out[...] = values
    return out


@pytest.mark.parametrize(
    "values",
    [
        np.ma.masked_array(COLUMN, mask=False),
        with_numbers([[1.0], [np.float32(-2)]]),
        pa.array([[1.0], [-2.0]]),
        pa.array([[1.0], [-2.0]], pa.list_(pa.float32(), 1)),
        pa.table({"logit": [1.0, -2.0]}),
        np.matrix(COLUMN),
    ],
)
def test_what_holds_numbers_is_read(values: Any) -> None:
    head, labels = BinaryClassHead(), [1, 0]
    assert as_array(values, "logits").tolist() == COLUMN.tolist()
    assert head.loss(labels, values) == head.loss(labels, COLUMN)


@pytest.mark.parametrize(
    "values",
    [
        np.ma.masked_array([1, 0], mask=[False, True]),
        [np.ma.masked, 0],
        pa.array([1, None]),
        pa.chunked_array([[1], [None]]),
        pa.array([True, None]),
        [1, None],
    ],
)
def test_masked_and_missing_values_are_refused(values: Any) -> None:
    head = BinaryClassHead("w")
    missing = "have values that are masked or missing"
    with pytest.raises(ValueError, match=f"labels {missing}"):
        head.loss(values, COLUMN, {"w": [1, 1]})
    with pytest.raises(ValueError, match=f"labels {missing}"):
        MultiClassHead(3).loss(values, np.zeros((2, 3)))
    with pytest.raises(ValueError, match=f"Weights 'w' {missing}"):
        head.loss([1, 0], COLUMN, {"w": values})


def test_masks_are_not_lost_on_the_way() -> None:
    masked = np.ma.masked_array(np.zeros((2, 2)), mask=[[False, False], [True, False]])
    head = MultiLabelHead(2)
    for logits, labels in ((masked, np.ones((2, 2))), (np.ones((2, 2)), masked)):
        for given in (logits, list(logits)):
            with pytest.raises(ValueError, match="masked or missing"):
                head.loss(labels, given)
    with pytest.raises(ValueError, match="logits have values that are masked or missing"):
        head.predictions(pa.table({"a": [1.0, None], "b": [0.0, 0.0]}))
    with pytest.raises(ValueError, match="losses of loss_fn have values that are masked"):
        BinaryClassHead(loss_fn=lambda labels, logits: masked[:, :1]).loss([1, 0], COLUMN)


def test_a_null_of_pandas_is_missing() -> None:
    pandas = pytest.importorskip("pandas")
    head = BinaryClassHead()
    for kind in ("Int64", "boolean", "Float64"):
        whole, gap = (pandas.Series(values, dtype=kind) for values in ([1, 0], [1, None]))
        assert head.loss(whole, COLUMN) == head.loss([1, 0], COLUMN)
        with pytest.raises(ValueError, match="masked or missing"):
            head.loss(gap, COLUMN)
    # NaN in a dtype of NumPy is a value, as in any array.
    frame = pandas.DataFrame({"logit": [1.0, np.nan]})
    assert np.isnan(head.predictions(frame)["logistic"][1, 0])


def test_a_null_of_polars_is_missing() -> None:
    polars = pytest.importorskip("polars")
    head = BinaryClassHead()
    assert head.loss(polars.Series([1, 0]), polars.DataFrame({"x": COLUMN[:, 0]})) == head.loss(
        [1, 0], COLUMN
    )
    for labels, logits in (([1, None], [1.0, 2.0]), ([1, 0], [1.0, None])):
        with pytest.raises(ValueError, match="masked or missing"):
            head.loss(polars.Series(labels), polars.DataFrame({"x": logits}))


@pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn", "int4"])
def test_small_numbers_of_other_packages_become_float32(kind: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    logits = COLUMN.astype(getattr(ml_dtypes, kind))
    head = BinaryClassHead("w")
    weights = {"w": logits}
    assert head.predictions(logits)["logits"].dtype == np.float32
    assert head.loss([1, 0], logits, weights) == head.loss([1, 0], COLUMN, {"w": COLUMN})


@pytest.mark.parametrize(
    ("logits", "error", "match"),
    [
        (COLUMN.astype(np.float16).view("V2"), TypeError, "bytes of a dtype that NumPy lacks"),
        (np.zeros((2, 1), [("x", "f4")]), TypeError, "must be numbers or words"),
        (COLUMN.astype(complex), TypeError, "Given dtype: complex128"),
        (COLUMN.astype("m8[s]"), TypeError, "Given dtype: timedelta64"),
        (COLUMN.astype("M8[D]"), TypeError, "Given dtype: datetime64"),
        (COLUMN.astype(str), TypeError, "Given dtype: <U"),
        (with_numbers([["1"], [2]]), TypeError, "Given dtype: object"),
        (with_numbers([[2**80], [2]]), TypeError, "Given dtype: object"),
        ([["1"], [2]], TypeError, "logits mix words and other values. Given: 2"),
        ([[1.0], [1.0, 2.0]], ValueError, "logits must be an array with rows of equal length"),
        (np.array(1.0), ValueError, "rank at least 2"),
        (None, TypeError, "logits must be numbers"),
        ({"x": 1}, TypeError, "logits must be numbers"),
        (scipy.sparse.csr_array(COLUMN), TypeError, "logits must be dense"),
    ],
)
def test_what_holds_no_numbers_is_refused(logits: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        BinaryClassHead().loss([1, 0], logits)


def test_features_may_be_a_table() -> None:
    head = BinaryClassHead("w", loss_reduction="sum")
    wanted = head.loss([1, 0], COLUMN, {"w": [1.0, 3.0]})
    assert head.loss([1, 0], COLUMN, pa.table({"w": [1.0, 3.0]})) == wanted
    with pytest.raises(ValueError, match=r"Feature w is not .* Given features: \['v'\]"):
        head.loss([1, 0], COLUMN, pa.table({"v": [1.0, 3.0]}))
    for features in ([1.0, 3.0], np.ones(2), "w"):
        with pytest.raises(TypeError, match="features must be a dictionary"):
            head.loss([1, 0], COLUMN, features)
    with pytest.raises(ValueError, match="nor be sparse"):
        head.loss([1, 0], COLUMN, {"w": scipy.sparse.csr_array(COLUMN)})


def test_words_of_arrow_are_words() -> None:
    head = BinaryClassHead(label_vocabulary=["no", "yes"])
    words = pa.array(["yes", "no"])
    wanted = head.loss(["yes", "no"], COLUMN)
    assert head.loss(words, COLUMN) == head.loss(words.dictionary_encode(), COLUMN) == wanted
    with pytest.raises(ValueError, match="masked or missing"):
        head.loss(pa.array(["yes", None]), COLUMN)
    with pytest.raises(TypeError, match=r"labels mix words and other values. Given: 0"):
        head.loss(["yes", 0], COLUMN)
