"""Refuse NaN where it would decide something without a trace: comparisons with NaN are false."""

from torch import Tensor

from harness.errors import ModelError


def refuse_nan(rows: Tensor, names: str) -> None:
    """Raise ModelError if some `rows` [n, ...], such as `images`, hold NaN or infinity."""
    finite = rows.isfinite().flatten(1).all(1)
    if not bool(finite.all()):
        number = int((~finite).nonzero()[0])
        count = int((~finite).sum())
        raise nan_error(f"{count} of {len(rows)} {names} (the first has index {number})")


def nan_error(what: str) -> ModelError:
    """Return the error of a model that computes NaN, with a remedy."""
    return ModelError(
        f"the model computes NaN or infinity for {what}; in 16 bits numbers may overflow, which "
        "--dtype float32 prevents"
    )
