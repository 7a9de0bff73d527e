"""Images as a model prepares them: of any kind, put together by the model or stacked.

A model that offers `harness.capabilities.Collating` puts the images of a batch together itself, as
one with padding and masks has to. Those of any other model are arrays of one shape.
"""

import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.capabilities import Collating, Model
from harness.errors import ModelError
from harness.images import View, image_file

REMEDY = "let prepare return arrays of one shape, or give the model a method collate(prepared)"
Collate = Callable[[Sequence[Any]], Any]


def collate_of(model: Model) -> Collate | None:
    """Return how a model puts images together; None: they are stacked."""
    return model.collate if isinstance(model, Collating) else None


def apart_of(model: Model) -> Collate | None:
    """Return how images are kept apart for who looks at each, of a model that collates them."""
    return list if isinstance(model, Collating) else None


def together(prepared: Mapping[View, Any], collate: Collate | None) -> Any:
    """Return the images of a batch as the model takes them, in the order of the views.

    Raises ModelError where images that have to be stacked are not arrays of one shape and type.
    """
    images = list(prepared.values())
    if collate is not None:
        return collate(images)
    first = images[0]
    for view, image in prepared.items():
        if not isinstance(image, np.ndarray):
            raise ModelError(
                f"the model prepares {image_file(view)} as a {type(image).__name__}, and not as an "
                f"array; {REMEDY}"
            )
        if (image.shape, image.dtype) != (first.shape, first.dtype):
            raise ModelError(
                f"the model prepares {image_file(next(iter(prepared)))} as {_kind(first)}, but "
                f"{image_file(view)} as {_kind(image)}, which cannot be stacked; {REMEDY}"
            )
    return np.stack(images)


def contents_of(prepared: Any) -> Iterator[bytes]:
    """Yield bytes that identify an image as a model prepared it, or several put together.

    The same on every machine for arrays, tensors, plain values and containers of them; other
    objects count by their pickle.
    """
    if isinstance(prepared, Mapping):
        yield b"mapping"
        for key in sorted(prepared, key=str):
            yield str(key).encode()
            yield from contents_of(prepared[key])
    elif isinstance(prepared, list | tuple):
        yield b"sequence %d" % len(prepared)
        for item in prepared:
            yield from contents_of(item)
    elif isinstance(prepared, str | bytes | int | float | None):
        yield repr(prepared).encode()
    elif (array := _as_array(prepared)) is not None:
        kind = [] if array.dtype == np.uint8 else [array.dtype.str]
        yield json.dumps([*array.shape, *kind]).encode()
        yield array.tobytes()
    else:
        yield pickle.dumps(prepared)


def _as_array(value: Any) -> np.ndarray[Any, Any] | None:
    """Return an array, or a tensor as one; None for anything else."""
    if isinstance(value, np.ndarray):
        return None if value.dtype.hasobject else value
    if not hasattr(value, "detach"):
        return None
    tensor = value.detach().cpu()
    try:
        return np.asarray(tensor.numpy())
    except TypeError:  # NumPy lacks bfloat16, which float32 holds exactly
        return np.asarray(tensor.float().numpy())


def _kind(array: np.ndarray[Any, Any]) -> str:
    return f"{list(array.shape)} {array.dtype}"
