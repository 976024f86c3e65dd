"""Tests of probabilities and losses in float64 and float32 against hundreds of digits."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from decimal import Context, Decimal, localcontext
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads import BinaryClassHead, MultiClassHead, MultiLabelHead
from heads.class_scores import ExclusiveScores, IndependentScores, ScoreKind
from heads.statistics import Scored
from tests.laws.batches import law

Floats = npt.NDArray[np.float64]

DIGITS = Context(prec=400)
MODERATE = st.floats(-700, 700)
ANY = st.floats(allow_nan=False, allow_infinity=False)
PROBABILITIES = st.floats(0, 1) | st.sampled_from([0.0, -0.0, 1.0, 0.5, 5e-324, 1 - 2**-53])
LABELS = st.sampled_from([0.0, 1.0, -0.0]) | st.floats(0, 1)


HeadName = Literal["binary", "multi_class", "multi_label"]


def score(
    name: HeadName, kind: ScoreKind, scores: Floats, labels: Floats, weights: Floats | None
) -> Scored:
    """Returns rows that the named head scored; a multi-class head has at least three classes."""
    classes = scores.shape[1]
    head = {
        "binary": BinaryClassHead,
        "multi_class": lambda: MultiClassHead(max(3, classes)),
        "multi_label": lambda: MultiLabelHead(classes),
    }[name]()
    return head.score(scores, labels, weights, kind)


def exact_sigmoid(x: float) -> Decimal:
    return DIGITS.divide(Decimal(1), DIGITS.add(1, DIGITS.exp(-Decimal(x))))


def exact_softmax(scores: list[float]) -> tuple[list[Decimal], Decimal]:
    """Returns the probabilities, and the logarithm of the sum of exponentials."""
    highest = Decimal(max(scores))
    exponentials = [DIGITS.exp(DIGITS.subtract(Decimal(s), highest)) for s in scores]
    total = functools.reduce(DIGITS.add, exponentials)
    return [DIGITS.divide(e, total) for e in exponentials], DIGITS.add(highest, DIGITS.ln(total))


def exact_log(p: Decimal) -> Decimal:
    return DIGITS.ln(p) if p else Decimal("-Infinity")


def exact_entropy(y: float, p: float | Decimal) -> Decimal:
    """Returns `-y log(p)`, and 0 if `y` is 0."""
    return -Decimal(y) * exact_log(Decimal(p)) if y else Decimal(0)


def close(actual: float, exact: Decimal, rel: float = 1e-14, abs_: float = 0.0) -> None:
    assert actual == pytest.approx(float(exact), rel=rel, abs=abs_)


def column(*values: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(values, np.float64)[:, np.newaxis]


@law
@given(st.lists(st.tuples(MODERATE, LABELS), min_size=1, max_size=5))
def test_logits_of_two_classes(rows: list[tuple[float, float]]) -> None:
    scores, labels = (column(*values) for values in zip(*rows, strict=True))
    scored = score("binary", "logits", scores, labels, None)
    for (x, y), p, loss in zip(rows, scored.probability.ravel(), scored.loss, strict=True):
        close(p, exact_sigmoid(x))
        # log(1 + exp(x)) - y x; the difference is exact except for soft labels.
        whole = DIGITS.ln(DIGITS.add(1, DIGITS.exp(Decimal(x))))
        exact = DIGITS.fma(-Decimal(y), Decimal(x), whole)
        close(loss, exact, abs_=4e-16 * abs(x) if 0 < y < 1 else 0.0)


@law
@given(st.lists(st.tuples(PROBABILITIES, LABELS), min_size=1, max_size=5))
def test_probabilities_of_two_classes_are_used_as_given(rows: list[tuple[float, float]]) -> None:
    scores, labels = (column(*values) for values in zip(*rows, strict=True))
    scored = score("binary", "probabilities", scores, labels, None)
    assert scored.probability is scored.score is scores
    for (p, y), loss in zip(rows, scored.loss, strict=True):
        if (p == 0 and y) or (p == 1 and y != 1):
            assert loss == math.inf
        else:
            others = exact_entropy(1 - y, DIGITS.subtract(1, Decimal(p)))
            exact = DIGITS.add(exact_entropy(y, p), others)
            close(loss, exact, rel=1e-13)


@law
@given(st.lists(ANY, min_size=1, max_size=5), st.sampled_from([0.0, 1.0]))
def test_any_finite_logit_has_a_finite_loss(logits: list[float], label: float) -> None:
    scored = score("binary", "logits", column(*logits), np.full((len(logits), 1), label), None)
    assert np.isfinite(scored.loss).all()
    assert (scored.loss >= 0).all()
    assert ((scored.probability >= 0) & (scored.probability <= 1)).all()


def test_landmarks() -> None:
    scored = score("binary", "logits", column(0.0, -0.0, 1e308, -1e308), column(0, 1, 1, 1), None)
    assert scored.probability.ravel().tolist() == [0.5, 0.5, 1.0, 0.0]
    assert scored.loss.tolist() == [math.log(2), math.log(2), 0.0, 1e308]
    assert (scored.weight, scored.predicted) == (None, None)
    # Far from 0 the loss is the logit; near 1 it is not lost to rounding.
    scored = score("binary", "logits", column(40.0, 40.0), column(0, 1), None)
    assert scored.loss.tolist() == [40.0, math.log1p(math.exp(-40.0))]


@pytest.mark.parametrize("kind", ["binary", "multi_label"])
@pytest.mark.parametrize("p", [1e-17, 1e-10, 5e-324, 1e-300, 0.3, 2.0**-53])
def test_the_loss_of_a_small_probability_keeps_its_digits(p: float, kind: HeadName) -> None:
    scores, zeros = np.full((1, 2), p), np.zeros((1, 2))
    if kind == "binary":
        scores, zeros = scores[:, :1].copy(), zeros[:, :1].copy()
    (loss,) = score(kind, "probabilities", scores, zeros, None).loss
    close(loss, -exact_log(DIGITS.subtract(1, Decimal(p))), rel=3e-16)


def test_the_loss_of_a_sure_prediction_keeps_its_digits() -> None:
    for q in (1.0 - 2.0**-53, 1.0 - 2.0**-40):
        (loss,) = score("binary", "probabilities", column(q), column(1), None).loss
        close(loss, -exact_log(Decimal(q)), rel=3e-16)
        scores = np.array([[q, 1 - q, 0.0]])
        (loss,) = score("multi_class", "probabilities", scores, column(0), None).loss
        close(loss, -exact_log(Decimal(q)), rel=3e-16)
    # As logits, probabilities may be much nearer to 1.
    for x in (40.0, 200.0, 700.0):
        (loss,) = score("binary", "logits", column(x), column(1), None).loss
        close(loss, DIGITS.ln(DIGITS.add(1, DIGITS.exp(Decimal(-x)))), rel=3e-16)
    assert score("binary", "probabilities", column(0.0, 1.0), column(0, 1), None).loss.tolist() == [
        0.0,
        0.0,
    ]


def test_a_mean_of_losses_whose_sum_float64_cannot_hold() -> None:
    scores = np.array([[1.2e308, 1.5e308, 0.0], [1e308, 1.0, 2.0]])
    scored = score("multi_label", "logits", scores, np.zeros((2, 3)), None)
    assert scored.loss.tolist() == pytest.approx([0.9e308, 1e308 / 3], rel=1e-15)
    infinite = score("multi_label", "probabilities", np.array([[1.0, 0.5]]), np.zeros((1, 2)), None)
    assert infinite.loss.tolist() == [math.inf]


@law
@given(st.lists(st.lists(MODERATE, min_size=3, max_size=3), min_size=1, max_size=4), st.data())
def test_logits_of_exclusive_classes(rows: list[list[float]], data: st.DataObject) -> None:
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    scored = score("multi_class", "logits", np.array(rows), column(*labels), None)
    for row, label, p, loss in zip(rows, labels, scored.probability, scored.loss, strict=True):
        exact, log_total = exact_softmax(row)
        for actual, expected in zip(p, exact, strict=True):
            close(actual, expected, rel=1e-12, abs_=1e-300)
        close(loss, DIGITS.subtract(log_total, Decimal(row[label])), rel=1e-12, abs_=1e-300)
    assert scored.predicted is not None
    assert scored.predicted.tolist() == [row.index(max(row)) for row in rows]


def test_probabilities_of_exclusive_classes() -> None:
    scores = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.4, 0.4, 0.2]])
    scored = score("multi_class", "probabilities", scores, column(2, 1, 0, 1), None)
    assert scored.probability is scores
    assert scored.loss.tolist() == [-math.log(0.5), 0.0, math.inf, -math.log(0.4)]
    assert scored.predicted is not None
    # Of equal scores, the first class is predicted.
    assert scored.predicted.tolist() == [2, 1, 1, 0]
    assert scored.predicted.dtype == np.int64


def test_any_finite_logits_of_exclusive_classes() -> None:
    scores = np.array([[1e308, -1e308, 0.0], [1e308, 1e308, 1e308], [-1e308, 0.0, 5e-324]])
    scored = score("multi_class", "logits", scores, column(0, 1, 0), None)
    assert scored.loss.tolist() == [0.0, pytest.approx(math.log(3)), 1e308]
    assert scored.probability.sum(axis=1).tolist() == pytest.approx([1.0, 1.0, 1.0])


@law
@given(
    st.lists(st.lists(MODERATE, min_size=2, max_size=2), min_size=1, max_size=4),
    st.sampled_from(["logits", "probabilities"]),
    st.data(),
)
def test_the_loss_of_independent_classes_is_their_mean(
    rows: list[list[float]], kind: Any, data: st.DataObject
) -> None:
    scores = np.array(rows)
    if kind == "probabilities":
        scores = 1 / (1 + np.exp(-scores.clip(-30, 30)))
    pairs = st.lists(LABELS, min_size=2, max_size=2)
    labels = np.array(data.draw(st.lists(pairs, min_size=len(rows), max_size=len(rows))))
    scored = score("multi_label", kind, scores, labels, None)
    by_class = [
        score("binary", kind, scores[:, [i]].copy(), labels[:, [i]].copy(), None) for i in (0, 1)
    ]
    assert scored.loss.tolist() == [
        (a + b) / 2 for a, b in zip(by_class[0].loss, by_class[1].loss, strict=True)
    ]
    assert np.array_equal(scored.probability, np.hstack([part.probability for part in by_class]))


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
@pytest.mark.parametrize(
    ("head", "classes"),
    [
        ("binary", 1),
        ("multi_label", 3),
        ("multi_label", 150),
        ("multi_class", 3),
        ("multi_class", 150),
    ],
)
def test_a_row_does_not_depend_on_its_batch(head: Any, kind: Any, classes: int) -> None:
    rng = np.random.default_rng(classes)
    n = 41
    scores = rng.normal(0, 5, (n, classes))
    if kind == "probabilities":
        scores = 1 / (1 + np.exp(-scores))
    labels = rng.integers(0, 2, (n, classes)).astype(float)
    if head == "multi_class":
        labels = rng.integers(0, classes, (n, 1)).astype(float)
    whole = score(head, kind, scores, labels, None)
    for first, last in [(0, 1), (1, 2), (40, 41), (7, 9), (3, 20), (0, 0), (0, 41)]:
        part = score(head, kind, scores[first:last].copy(), labels[first:last].copy(), None)
        assert len(part) == last - first
        assert part.loss.tobytes() == whole.loss[first:last].tobytes()
        assert part.probability.tobytes() == whole.probability[first:last].tobytes()
        for values in (part.score, part.probability, part.label, part.loss):
            assert values.dtype == np.float64
            assert values.flags.c_contiguous
        if whole.predicted is not None:
            assert part.predicted is not None
            assert part.predicted.tolist() == whole.predicted[first:last].tolist()


def test_scores_and_labels_are_left_as_they_are() -> None:
    shapes: Any = {"binary": (3, 1), "multi_label": (3, 2), "multi_class": (3, 3)}
    kinds: Any = ("logits", "probabilities")
    for head, shape in shapes.items():
        for kind in kinds:
            scores = np.full(shape, 0.25)
            labels = np.ones((3, 1) if head == "multi_class" else shape)
            weights = np.array([1.0, 0.0, 2.0])
            scored = score(head, kind, scores, labels, weights)
            assert (scores == 0.25).all()
            assert (labels == 1).all()
            assert scored.score is scores
            assert scored.weight is weights


def test_a_loss_without_weight_counts_for_nothing() -> None:
    scores, labels = column(0.0, 0.5, 0.0), column(1, 1, 1)
    scored = score("binary", "probabilities", scores, labels, np.array([0.0, 0.0, 2.0]))
    assert scored.loss.tolist() == [math.inf, math.log(2), math.inf]
    scored = replace(scored, skip_weightless=True)
    weighted = scored.summand("loss", 1, weighted=True).values
    assert weighted.tolist() == [0.0, 0.0, math.inf]
    # In means without weights, the row counts like any other.
    assert scored.summand("loss", 1, weighted=False).values.tolist() == scored.loss.tolist()


single = st.floats(-200, 200, width=32)


@law
@given(st.lists(single, min_size=1, max_size=20))
def test_a_float32_probability_is_rounded_once(values: list[float]) -> None:
    logits = np.array(values, np.float32)
    wanted = [np.float32(float(exact_sigmoid(float(x)))) for x in logits]
    np.testing.assert_allclose(
        IndependentScores(logits[:, np.newaxis]).probability.ravel(),
        wanted,
        rtol=6e-8,
        atol=1.5e-45,
    )


@law
@given(single, st.sampled_from([0.0, 1.0]))
def test_float32_losses_of_hard_labels(x: float, y: float) -> None:
    p = exact_sigmoid(float(np.float32(x)))
    with localcontext() as context:
        context.prec = 120
        wanted = float(-(p if y else 1 - p).ln())
    actual = IndependentScores(np.array([[x]], np.float32)).losses(np.array([[y]]))
    np.testing.assert_allclose(actual, [np.float32(wanted)], rtol=2e-7, atol=1.5e-45)


@law
@given(st.lists(single, min_size=3, max_size=3), st.integers(0, 2))
def test_float32_of_exclusive_classes(values: list[float], label: int) -> None:
    logits = np.array([values], np.float32)
    exact = np.exp(np.longdouble(logits) - np.longdouble(logits).max())
    exact /= exact.sum()
    np.testing.assert_allclose(ExclusiveScores(logits).probability, exact, rtol=4e-5, atol=1e-37)
    loss = ExclusiveScores(logits).losses(np.array([[label]]))
    assert (loss.shape, loss.dtype) == ((1,), np.float32)
    np.testing.assert_allclose(loss, -np.log(exact[:, label]), rtol=1e-6, atol=1e-6)


def test_float32_of_infinite_and_missing_logits_is_not_made_up() -> None:
    """An infinite or NaN logit gives NaN for all exclusive classes; the prediction is never NaN."""
    logits = np.array([[np.inf, 0, 0], [np.nan, 2, 1], [-np.inf, 0, 0]], np.float32)
    scores = ExclusiveScores(logits)
    assert np.isnan(scores.probability[:2]).all()
    assert scores.probability[2].tolist() == [0.0, 0.5, 0.5]
    assert scores.predicted.tolist() == [0, 1, 1]
    assert np.isnan(ExclusiveScores(logits).losses(np.zeros((3, 1)))[:2]).all()


@pytest.mark.parametrize("head", [BinaryClassHead(), MultiClassHead(4), MultiLabelHead(4)])
def test_the_estimator_interface_uses_float32_scores(head: Any) -> None:
    rng = np.random.default_rng(7)
    logits = rng.normal(0, 20, (50, head.logits_dimension)).astype(np.float32)
    labels = rng.integers(0, 2, logits.shape)
    if isinstance(head, MultiClassHead):
        labels = rng.integers(0, 4, (50, 1))
    scored = head.score(logits, labels)
    assert head.example_loss(labels, logits).tolist() == scored.loss.tolist()
    key = "logistic" if head.logits_dimension == 1 else "probabilities"
    assert head.predictions(logits)[key].tolist() == scored.probability.tolist()
    # Stored scores in float64 are not rounded to float32.
    stored = head.score(logits.astype(np.float64), labels)
    assert (stored.loss != scored.loss).any()
    np.testing.assert_allclose(stored.loss, scored.loss, rtol=1e-6, atol=1e-7)
    for name, values in head.row_predictions(stored).items():
        wanted = head.predictions(logits)[name]
        assert values.shape == wanted.shape
        if values.dtype.kind == "f":
            assert values.dtype == np.float64
            np.testing.assert_allclose(values, wanted, rtol=2e-5, atol=1e-37)
        else:
            assert values.tolist() == wanted.tolist()


def test_predictions_of_stored_probabilities() -> None:
    p = column(0.25, 0.5, 0.75)
    head = BinaryClassHead(label_vocabulary=["no", "yes"])
    predictions = head.row_predictions(head.score(p, None, None, "probabilities"))
    assert list(predictions) == ["logistic", "probabilities", "class_ids", "classes"]
    assert predictions["logistic"].tolist() == p.tolist()
    assert predictions["probabilities"].tolist() == [[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]
    assert predictions["class_ids"].ravel().tolist() == [0, 0, 1]
    assert predictions["classes"].ravel().tolist() == ["no", "no", "yes"]


def test_without_labels_there_is_no_loss() -> None:
    scored = BinaryClassHead().score(column(0.0, 1.0))
    assert np.isnan(scored.loss).all()
    assert np.isnan(scored.label).all()
