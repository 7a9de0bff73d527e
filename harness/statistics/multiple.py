"""Many tests at one level: how many share it."""

from collections.abc import Sequence


def sharing(smallest_ps: Sequence[float], *, level: float) -> int:
    """Return among how many tests a level has to be shared, by the smallest p that each can give.

    A test that cannot reach its share of the level can give no false alarm, so it takes no part
    (Tarone 1990): the smallest K such that at most K tests can reach `level / K`.

    Two of ten results changed, in twelve clusters each; the others cannot alarm at all:

    >>> sharing([2.0**-12, 2.0**-12, *[1.0] * 8], level=0.05)
    2
    """
    share = 1
    while sum(p <= level / share for p in smallest_ps) > share:
        share += 1
    return share
