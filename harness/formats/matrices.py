"""Read matrices of scores in NumPy's formats, which are never allowed to hold anything but numbers."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError

I2T, T2I = (
    ("score_matrix_i2t", "i2t"),
    ("score_matrix_t2i", "t2i"),
)  # the names that a matrix may have


def read_array(path: Path, *, rows: int, columns: int) -> NDArray[np.float32]:
    """Return the matrix of an .npy file. Raises DataError where it is none of this shape, or holds what is no number."""
    return _checked(path, _loaded(path), rows, columns)


def read_matrices(
    path: Path, *, images: int, texts: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the scores from image to text and from text to image of an .npz file."""
    content = _loaded(path)
    if not isinstance(content, np.lib.npyio.NpzFile):
        raise DataError(f"{path}: should be an .npz file with {I2T[0]} and {T2I[0]}")
    return _named(path, content, I2T, images, texts), _named(path, content, T2I, texts, images)


def _named(
    path: Path, content: Any, names: tuple[str, ...], rows: int, columns: int
) -> NDArray[np.float32]:
    name = next((name for name in names if name in content.files), None)
    if name is None:
        raise DataError(
            f"{path}: has no array {' or '.join(names)}; it has {', '.join(content.files) or 'none'}"
        )
    try:
        return _checked(path, content[name], rows, columns)
    except DataError:
        raise
    except Exception as error:  # as above: arrays are read when they are asked for
        raise DataError(
            f"{path}: the array {name} cannot be read ({_first_line(error)})"
        ) from error


def _loaded(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"{path}: is not a file" if path.exists() else f"{path}: no such file")
    try:
        return np.load(path, allow_pickle=False)
    except Exception as error:  # a broken head can raise almost anything
        raise DataError(f"{path}: is no file of NumPy arrays ({_first_line(error)})") from error


def _checked(path: Path, array: Any, rows: int, columns: int) -> NDArray[np.float32]:
    if (
        not isinstance(array, np.ndarray)
        or array.shape != (rows, columns)
        or array.dtype.kind not in "fiu"
    ):
        raise DataError(
            f"{path}: should hold scores [{rows}, {columns}], but holds {getattr(array, 'shape', 'no array')}"
        )
    if np.isnan(array).any():
        raise DataError(f"{path}: holds a score that is not a number")
    return array.astype(np.float32)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
