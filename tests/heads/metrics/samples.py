"""Rows of a binary head, to compute metrics from."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from hypothesis import Phase, settings
from hypothesis import strategies as st

from heads.metrics.core.metric import Metric
from heads.statistics import Scored, Segments, State, Statistic
from heads.statistics.measure import measure_state
from heads.testing.contexts import AT as AT
from heads.testing.contexts import make_context as make_context
from heads.testing.contexts import sigmoid as sigmoid

Floats = npt.NDArray[np.float64]

law = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    # Explaining a failure takes minutes.
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
# As few cells as leave every cell of the scores below a lowest score.
FEW_CELLS = st.sampled_from([5, 6, 8])


def scored(
    score: npt.ArrayLike, label: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> Scored:
    """Returns rows of a binary head whose scores are logits."""
    s = np.asarray(score, np.float64).reshape(-1, 1)
    y = np.asarray(label, np.float64).reshape(-1, 1)
    p = sigmoid(s)
    loss = -(y * np.log(p) + (1 - y) * np.log1p(-p))
    return Scored(s, p, y, loss.ravel(), None if weight is None else np.array(weight, np.float64))


def result(metric: Metric, rows: Scored) -> tuple[float, str | None]:
    """Returns the value of a metric over all rows, and why it is undefined."""
    values = metric.compute(measure(metric.statistic, rows))
    return float(values.value[0]), values.reason(0)


@lru_cache(maxsize=16)
def measure(statistic: Statistic, rows: Scored) -> State:
    return measure_state(statistic, rows, Segments.overall(len(rows)))


Sample = tuple[Floats, Floats, Floats | None]


@st.composite
def samples(draw: st.DrawFn, *, both_labels: bool = False, size: int = 30) -> Sample:
    """Draws scores with ties, labels, and weights of several magnitudes or no weights."""
    n = draw(st.integers(2 if both_labels else 1, size))

    def column(values: st.SearchStrategy[float]) -> Floats:
        return np.array(draw(st.lists(values, min_size=n, max_size=n)), np.float64)

    score = column(st.sampled_from([-6.5, -2.0, -1.0, 0.0, 0.25, 1.0, 3.0, 5.5, 1e-3]))
    label = column(st.sampled_from([0.0, 1.0]))
    if both_labels:
        label[:2] = [0, 1]
    weight = column(st.sampled_from([0.1, 0.25, 1.0, 3.0, 0.3, 700.0]))
    return score, label, draw(st.sampled_from([None, weight]))


def random_sample(seed: int, n: int = 500, *, weighted: bool = True) -> Sample:
    rng = np.random.default_rng(seed)
    score = rng.normal(-0.5, 1.5, n).round(1)
    label = (rng.random(n) < sigmoid(score * 0.6 + 0.2)).astype(np.float64)
    return score, label, rng.uniform(0.01, 3, n) if weighted else None
