"""Numbers in the fewest digits: those that `str` writes for each."""

import numpy as np
import pytest

from harness.metrics import rounding
from harness.metrics.rounding import shortest_decimals

RNG = np.random.default_rng(0)
COSINES = RNG.uniform(-1, 1, 20_000)
SIZES = 10.0 ** RNG.uniform(-14, 5, 20_000)  # beyond the bounds of the arithmetic, too
SHORT = RNG.integers(-2_000, 2_000, 5_000) / 8
ROUNDED = np.round(RNG.uniform(-1, 1, 5_000), RNG.integers(1, 7))
POWERS_OF_TWO = 2.0 ** np.arange(-40, 20)
POWERS_OF_TEN = 10.0 ** np.arange(-20, 20)
SPECIAL = [0.0, -0.0, 1.0, -1.0, 100.0, 999.9999, np.inf, -np.inf, 1e-45, 3.4028235e38]


@pytest.mark.parametrize(
    "numbers",
    [COSINES, SIZES, -SIZES, SHORT, ROUNDED, POWERS_OF_TWO, POWERS_OF_TEN, SPECIAL],
)
def test_numbers_have_the_digits_that_str_writes(numbers: list[float]) -> None:
    scores = np.array(numbers, dtype=np.float32)
    expected = [float(str(score)) for score in scores]
    actual = shortest_decimals(scores)
    assert actual.tolist() == expected
    assert np.signbit(actual).tolist() == np.signbit(expected).tolist()


def test_what_is_no_number_stays() -> None:
    assert np.isnan(shortest_decimals(np.array([np.nan], dtype=np.float32))).all()


def test_other_types_have_their_own_digits() -> None:
    third = np.array([1 / 3])
    assert shortest_decimals(third).tolist() == [1 / 3]
    assert shortest_decimals(third.astype(np.float16)).tolist() == [0.3333]


def test_the_shape_stays_that_of_the_scores() -> None:
    table = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=np.float32)
    assert shortest_decimals(table).tolist() == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
    assert shortest_decimals(table[:0]).shape == (0, 3)


def test_few_numbers_need_str(monkeypatch: pytest.MonkeyPatch) -> None:
    """A power of two has neighbours at two distances; all other cosines are found by arithmetic."""
    calls = []
    monkeypatch.setattr(rounding, "str", lambda value: calls.append(value) or repr(value), False)
    monkeypatch.setattr(rounding, "float", lambda text: 0.0, False)
    shortest_decimals(np.array([*COSINES, 0.25], dtype=np.float32))
    assert 0.25 in calls
    assert len(calls) < 20
