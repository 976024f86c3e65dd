"""What wrong calls cost: a metric of one's own, which `own_metric.yaml` names as its plugin."""

from collections.abc import Iterator

from heads.metrics.core.context import MetricContext
from heads.metrics.core.cut_counts import CutMetric, cuts_and_suffixes
from heads.metrics.core.metric import Metric, Values, ratio, total_mass
from heads.metrics.core.registry import offers
from heads.statistics import State

FALSE_ALARM, MISS = 1.0, 5.0


class CallCost(CutMetric):
    """The mean cost of a row: 1 for a false alarm, 5 for a miss, and nothing for a right call."""

    higher_is_better = False
    low, high = 0.0, MISS
    headline = True

    def compute(self, state: State) -> Values:
        """Returns the cost in every segment of a state."""
        counts = self.counts(state)
        cost = FALSE_ALARM * counts.false_positive + MISS * counts.false_negative
        return ratio(cost, total_mass(state), "the weights sum to zero")


@offers("binary", kind="report")
def call_cost(context: MetricContext) -> Iterator[Metric]:
    """Offers the cost at the cut of the likelier class, and at the configured thresholds."""
    for cut, suffix in cuts_and_suffixes(context):
        yield CallCost(f"call_cost{suffix}", context.threshold_counts, cut)
