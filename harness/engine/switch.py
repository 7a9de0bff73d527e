"""Which of two implementations computes within a block."""

from collections.abc import Iterator
from contextlib import contextmanager


class Switch:
    """A choice that is off, except within the blocks that turn it on."""

    def __init__(self) -> None:
        self.is_on = False

    @contextmanager
    def __call__(self, on: bool) -> Iterator[None]:
        """Turn the choice on or off for a block; afterwards, it is what it was before."""
        before, self.is_on = self.is_on, on
        try:
            yield
        finally:
            self.is_on = before
