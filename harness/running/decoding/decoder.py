"""What decodes image files beside the model: one batch of files after another."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.images import Prepared, View


class FileViews(NamedTuple):
    """The views of one image file, and the sample that needs it first."""

    views: list[View]
    needed_by: str


Note = Callable[[Prepared], None]
Read = Callable[[Sequence[View], str], Prepared]  # (the views of a file, what needs them)
Decoded = Prepared | DataError  # the views of a file, or why it cannot be read


class Decoding(Protocol):
    """The files of a batch on their way."""

    def results(self) -> list[Decoded]:
        """Wait for the files and return the views of each, or why it cannot be read."""
        ...

    def stacked(self) -> NDArray[np.uint8] | None:
        """Return the views of all files in one array, where they were decoded into one."""
        ...

    def cancel(self) -> None:
        """Decode none of the files that are not begun."""
        ...


class Decoder(Protocol):
    """Decodes the files of one batch after another."""

    def submit(self, files: Sequence[FileViews]) -> Decoding:
        """Begin to decode."""
        ...

    def close(self) -> None:
        """Release the decoder's threads."""
        ...
