"""Read score matrices in NumPy's formats, never with pickled objects.

Scores keep their type: rounded to fewer digits, two scores would become a tie.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, first_line
from harness.files.kinds import describe_other_kind

# Accepted array names, the recommended one first.
I2T = ("score_matrix_i2t", "i2t")
T2I = ("score_matrix_t2i", "t2i")


def read_array(path: Path, *, rows: int, columns: int) -> NDArray[Any]:
    """Return the scores [rows, columns] of an .npy file.

    Raises DataError for another format or shape, and for NaN.
    """
    with _loaded(path) as content:
        return _checked(path, content, rows, columns)


def read_matrices(path: Path, *, images: int, texts: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores [images, texts] and [texts, images] of an .npz file.

    Raises DataError as `read_array`, and for a missing array.
    """
    with _loaded(path) as content:
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: should be an .npz file with {I2T[0]} and {T2I[0]}")
        return _named(path, content, I2T, images, texts), _named(path, content, T2I, texts, images)


def _named(
    path: Path, content: Any, names: tuple[str, ...], rows: int, columns: int
) -> NDArray[Any]:
    name = next((name for name in names if name in content.files), None)
    if name is None:
        raise DataError(
            f"{path}: has no array {' or '.join(names)}; "
            f"its arrays: {', '.join(content.files) or 'none'}"
        )
    try:
        return _checked(path, content[name], rows, columns)
    except DataError:
        raise
    except Exception as error:  # arrays are read on access; a damaged one can raise almost anything
        raise DataError(f"{path}: the array {name} cannot be read ({first_line(error)})") from error


@contextmanager
def _loaded(path: Path) -> Iterator[Any]:
    """Open a file of NumPy arrays; np.load leaves a damaged one open if it opens it itself."""
    if problem := describe_other_kind(path, "numpy", "zip"):
        raise DataError(f"{problem}; scores are expected in a .npy or .npz file of NumPy")
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            content = np.load(file, allow_pickle=False)
        except Exception as error:  # a damaged header can raise almost anything
            reason = first_line(error)
            raise DataError(f"{path}: is not a file of NumPy arrays ({reason})") from error
        yield content


def _checked(path: Path, array: Any, rows: int, columns: int) -> NDArray[Any]:
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: should hold scores [{rows}, {columns}], but holds no array")
    if array.shape != (rows, columns) or array.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: should hold scores [{rows}, {columns}], "
            f"but holds {list(array.shape)} of {array.dtype}"
        )
    if np.isnan(array).any():
        raise DataError(f"{path}: holds NaN among its scores")
    return array
