"""What a task computes from predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.statistics.interval import Interval
from harness.statistics.intervals import metric_intervals
from harness.statistics.sums import Statistic


@dataclass(frozen=True)
class Scores:
    """The result of scoring, in percent or in the benchmark's own unit.

    metrics     name -> value: the numbers of a record
    statistics  name -> contribution of each unit to that metric, for intervals and tests
    by_sample   name -> value of each sample, in order of the samples; higher is better. Changed
                samples are ranked by the first entry, ties by the next
    breakdown   kind -> name -> value: parts of the split, and other scoring protocols
    not_run     name -> reason, for a metric that could not be computed
    caveats     sentences on what makes the metrics doubtful; `run` and `score` print them
    """

    metrics: Mapping[str, float]
    statistics: Mapping[str, Statistic] = field(default_factory=dict)
    by_sample: Mapping[str, Sequence[float]] = field(default_factory=dict)
    breakdown: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    not_run: Mapping[str, str] = field(default_factory=dict)
    caveats: Sequence[str] = ()

    @cached_property
    def intervals(self) -> Mapping[str, Interval]:
        """The 95 % confidence interval of each metric that has a statistic."""
        return metric_intervals(
            {name: self.statistics[name] for name in self.metrics if name in self.statistics}
        )
