"""How the metrics of a result change if the two runs of some clusters are swapped."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from harness.statistics.paired import Pair
from harness.statistics.sums import Floats, Formula

AT_ONCE = 4_000_000  # numbers drawn at a time: memory stays below 100 MB
Generator = np.random.Generator


@dataclass(frozen=True)
class Family:
    """Metrics over the same clusters.

    `names` [M]; `counts` [K] are the numbers of changed clusters of each kind: those that change
    the sums of all metrics equally. `before` and `after` [S] are the sums of all metrics side by
    side, and `moved` [K, S] what a cluster of each kind adds to them; metric m is made of
    `columns[m]` of them by `formulas[m]`.
    """

    names: Sequence[str]
    counts: NDArray[np.int64]
    before: Floats
    after: Floats
    moved: Floats
    columns: Sequence[slice]
    formulas: Sequence[Formula]

    @property
    def changed(self) -> int:
        """The number of clusters that changed."""
        return int(self.counts.sum())

    def changes(self, swapped: Floats) -> Floats:
        """Return the change of each metric [R, M] if `swapped[r, k]` clusters of kind k are."""
        moved = swapped @ self.moved
        new, old = self.after - moved, self.before + moved
        changes = [
            formula(new[:, columns]) - formula(old[:, columns])
            for columns, formula in zip(self.columns, self.formulas, strict=True)
        ]
        return np.stack(changes, axis=1)

    def observed(self) -> Floats:
        """Return the change of each metric if no cluster is swapped, [1, M]."""
        return self.changes(np.zeros((1, len(self.counts))))

    def enumerated(self) -> Floats:
        """Return the change of each metric under every swap, [2^changed, M]."""
        kind = np.repeat(np.arange(len(self.counts)), self.counts)
        swaps = np.array(list(product((0.0, 1.0), repeat=len(kind))))
        return self.changes(swaps @ np.eye(len(self.counts))[kind])

    def drawn(self, draws: int, generator: Generator) -> Iterator[Floats]:
        """Yield the change of each metric under random swaps, [R, M], in parts."""
        single = self.counts == 1
        at_once = max(1, AT_ONCE // len(self.counts))
        for start in range(0, draws, at_once):
            swapped = np.empty((min(at_once, draws - start), len(self.counts)))
            swapped[:, single] = _tosses(len(swapped), int(single.sum()), generator)
            several = self.counts[~single]
            swapped[:, ~single] = generator.binomial(several, 0.5, (len(swapped), len(several)))
            yield self.changes(swapped)


def families(pairs: Mapping[str, Pair]) -> list[Family]:
    """Group the metrics that changed by their clusters.

    Metrics of one result with equally many clusters have the same ones, in the same order.

    >>> from harness.statistics.means import mean_of
    >>> pair = Pair(mean_of([1.0, 0.0, 1.0]), mean_of([1.0, 1.0, 0.0]))
    >>> [(family.names, family.changed) for family in families({"accuracy": pair})]
    [(['accuracy'], 2)]
    """
    groups: dict[int, dict[str, Pair]] = {}
    for name, pair in pairs.items():
        if pair.changed.any():
            groups.setdefault(len(pair.changed), {})[name] = pair
    return [_family(group) for group in groups.values()]


def _family(pairs: Mapping[str, Pair]) -> Family:
    runs = [pair.swappable for pair in pairs.values()]
    before = np.hstack([run.before.rows for run in runs])
    after = np.hstack([run.after.rows for run in runs])
    moved = after - before
    kinds, counts = np.unique(moved[moved.any(axis=1)], axis=0, return_counts=True)
    ends = np.cumsum([run.before.rows.shape[1] for run in runs])
    starts = [0, *ends[:-1]]
    return Family(
        list(pairs),
        counts,
        before.sum(axis=0),
        after.sum(axis=0),
        kinds,
        [slice(start, end) for start, end in zip(starts, ends, strict=True)],
        [run.before.formula for run in runs],
    )


def _tosses(rows: int, columns: int, generator: Generator) -> NDArray[np.uint8]:
    """Return tosses of a coin, [rows, columns], of one random bit each."""
    octets = generator.integers(0, 256, size=(rows, (columns + 7) // 8), dtype=np.uint8)
    return np.unpackbits(octets, axis=1, count=columns)
