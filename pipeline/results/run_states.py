"""The merged states of a run, and the readings of its metrics in any of its slices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heads.metrics.core.metric import Metric
from heads.statistics import Key, State, merge
from pipeline.evaluation.head_plan import CANDIDATE, ModelStatistic
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.state_key import StateKey
from pipeline.results.readings import Readings
from pipeline.results.views import can_read, read_for_model, slice_views
from pipeline.slicing.table import SliceTable


@dataclass(frozen=True, eq=False)
class RunStates:
    """The merged states of a run.

    Attributes:
        directory: the directory of the run, for messages.
        plan: the plan of the run.
        table: the slices of the run.
        states: the merged states by head, and by model and statistic, of what is read of them. A
            run of another release may lack some of them.
    """

    directory: str
    plan: Plan
    table: SliceTable
    states: Mapping[str, Mapping[ModelStatistic, State]]

    @classmethod
    def of(
        cls, directory: str, plan: Plan, table: SliceTable, states: Mapping[StateKey, State]
    ) -> RunStates:
        """Returns the states of a run, given those of the partitions of its slices."""
        parts: dict[str, dict[ModelStatistic, list[State]]] = {name: {} for name in plan.heads}
        for key, state in states.items():
            measured = ModelStatistic(key.model, state.statistic)
            parts[key.head].setdefault(measured, []).append(state)
        merged = {
            head: {measured: merge(found) for measured, found in of_head.items()}
            for head, of_head in parts.items()
        }
        return cls(directory, plan, table, merged)

    def row_counts(self, head: str) -> State:
        """Returns the state that counts the rows of every slice of a head."""
        return self.states[head][self.plan.heads[head].counting]

    def examples(self, head: str, keys: Sequence[Key]) -> tuple[int, ...]:
        """Returns the number of rows of slices of a head; 0 for a slice without any."""
        counts = self.row_counts(head)
        kept = counts.take([counts.places[key] for key in keys if key in counts.places])
        rows = dict(zip(kept.keys, kept.by_segment("rows").tolist(), strict=True))
        return tuple(int(rows.get(key, 0)) for key in keys)

    def read(
        self,
        head: str,
        keys: Sequence[Key],
        *,
        model: int = CANDIDATE,
        names: Collection[str] | None = None,
        weighted: bool = True,
    ) -> dict[str, Readings]:
        """Reads metrics in some slices, and leaves out those whose states are missing.

        Args:
            head: the name of the head.
            keys: the slices; the head has rows of all of them.
            model: the position of the model.
            names: the metrics of the model, or of both models together, to read; None for all those
                of the model.
            weighted: whether rows count by their weights; if not, each counts once.

        Returns:
            The readings by name of the metric, all of the slices in this order.
        """
        plan = self.plan.heads[head]
        metrics: Mapping[str, Metric] = plan.models[model].metrics
        if names is not None:
            every = {**metrics, **plan.pairs}
            metrics = {name: every[name] for name in names if name in every}
        # Metrics share their statistics, whose hash takes long if they have thousands of cuts.
        objects = {id(s): s for m in metrics.values() for s in m.measured if s is not None}
        needed = {ModelStatistic(model, statistic) for statistic in objects.values()}
        taken = {
            measured: state.take([state.places[key] for key in keys if key in state.places])
            for measured, state in self.states[head].items()
            if measured in needed
        }
        kept = {measured: state for measured, state in taken.items() if state.keys}
        views = slice_views(self.table, tuple(keys), kept)
        with np.errstate(all="ignore"):
            return {
                name: read_for_model(metric, model, views, weighted=weighted)
                for name, metric in metrics.items()
                if can_read(metric, model, views)
            }
