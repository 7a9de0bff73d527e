"""The ids of samples in rows, found by id: 8 bytes each where they are whole numbers."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABSENT = -1  # the row of an id that a column does not have


class IdColumn(Set[Any]):
    """Distinct ids, each of a row from 0 on; nothing can be added.

    Whole numbers of 64 bits are kept sorted (`_sorted`, and the row of each in `_order` unless the
    rows are sorted themselves), any others in a dictionary, which takes ten times the memory.
    """

    def __init__(self, ids: Sequence[Any]) -> None:
        """Keep ids in this order. Raises ValueError for one that occurs twice."""
        self._sorted = array("q")
        self._order: NDArray[np.int64] | None = None
        self._rows: Mapping[Any, int] = {}
        numbers = _as_numbers(ids)
        if numbers is None:
            self._rows = {id: row for row, id in enumerate(ids)}
        else:
            if np.any(numbers[1:] <= numbers[:-1]):
                self._order = np.argsort(numbers)
                numbers = numbers[self._order]
            self._sorted.frombytes(numbers.tobytes())
        if len(self) < len(ids) or (numbers is not None and np.any(numbers[1:] == numbers[:-1])):
            raise ValueError("an id occurs twice")

    @classmethod
    def _from_iterable(cls, ids: Iterable[Any]) -> Set[Any]:  # of a union, an intersection ...
        return frozenset(ids)

    def __len__(self) -> int:
        return len(self._sorted) + len(self._rows)

    def __contains__(self, id: object) -> bool:
        return self.row(id) != ABSENT

    def __iter__(self) -> Iterator[Any]:
        if self._order is None:
            return iter(self._sorted or self._rows)
        ids = np.empty(len(self), dtype=np.int64)
        ids[self._order] = self._sorted
        return iter(ids.tolist())

    def row(self, id: Any) -> int:
        """Return the row of an id, ABSENT for an id that is not here."""
        if self._rows or type(id) is not int:
            return self._rows.get(id, ABSENT)
        position = bisect_left(self._sorted, id)
        if position == len(self._sorted) or self._sorted[position] != id:
            return ABSENT
        return position if self._order is None else int(self._order[position])

    def rows(self, ids: Sequence[Any]) -> NDArray[np.int64]:
        """Return the rows of ids, ABSENT for each that is not here."""
        if not self:
            return np.full(len(ids), ABSENT)
        numbers = _as_numbers(ids) if self._sorted else None
        if numbers is None:
            return np.fromiter(map(self.row, ids), np.int64, len(ids))
        known = np.frombuffer(self._sorted, dtype=np.int64)
        positions = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
        rows = positions if self._order is None else self._order[positions]
        return np.where(known[positions] == numbers, rows, ABSENT)


def _as_numbers(ids: Sequence[Any]) -> NDArray[np.int64] | None:
    """Return ids as an array; None unless all are whole numbers of 64 bits, and there are any."""
    if set(map(type, ids)) != {int}:
        return None
    try:
        return np.fromiter(ids, np.int64, len(ids))
    except OverflowError:
        return None
