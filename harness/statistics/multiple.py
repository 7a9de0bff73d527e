"""Many tests at one level: how many share it, and how many reach it by chance."""

from collections.abc import Sequence


def sharing(smallest_ps: Sequence[float], *, level: float) -> int:
    """Return among how many tests a level has to be shared, by the smallest p that each can give.

    A test that cannot reach its share of the level can give no false alarm, so it needs no share
    (Tarone 1990). Returns the smallest K such that at most K tests can reach `level / K`.

    Two of ten results changed, in twelve clusters each; the others cannot alarm at all:

    >>> sharing([2.0**-12, 2.0**-12, *[1.0] * 8], level=0.05)
    2
    """
    share = 1
    while sum(p <= level / share for p in smallest_ps) > share:
        share += 1
    return share


def p_of_count(count: int, ps: Sequence[float]) -> float:
    """Return the chance that at least `count` of independent events happen, each with its own p.

    Three of fifteen results are worse at 97.5 % confidence:

    >>> round(p_of_count(3, [0.025] * 15), 4)
    0.0057
    """
    counts = [1.0]  # the chance of 0, 1, ... events
    for p in ps:
        more, fewer = [0.0, *(c * p for c in counts)], [*(c * (1 - p) for c in counts), 0.0]
        counts = [happens + stays for happens, stays in zip(more, fewer, strict=True)]
    return min(1.0, sum(counts[count:]))
