"""The fingerprint of a model's inputs: the first images as it prepares them, and their tokens.

Every record keeps it, to tell a changed input (another resize, another tokenizer) from a changed
model.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from harness.capabilities import Model, Tokenizing
from harness.errors import DataError
from harness.running.loader import load_batches
from harness.task import Sample, Task

SAMPLES = 8  # the first ones, in the order of the annotation file


def fingerprint_inputs(task: Task, model: Model, samples: Sequence[Sample]) -> dict[str, Any]:
    """Return the SHA-256 of the first samples' images [M, R, R, 3], and of their token ids.

    None for images that cannot be read (the run reports them in its turn), for a model that shows
    no tokens, and for a task without texts.
    """
    first = samples[:SAMPLES]
    return {
        "samples": len(first),
        "images": _images(model, first),
        "texts": _texts(task, model, first),
    }


def _images(model: Model, samples: Sequence[Sample]) -> str | None:
    try:
        (batch,) = load_batches([samples], model.prepare, workers=1)
    except DataError:
        return None
    pixels = hashlib.sha256(json.dumps([batch.images.shape, batch.image_of.tolist()]).encode())
    pixels.update(batch.images.tobytes())
    return pixels.hexdigest()


def _texts(task: Task, model: Model, samples: Sequence[Sample]) -> str | None:
    texts = [text for sample in samples for text in task.texts(sample)]
    if not texts or not isinstance(model, Tokenizing):
        return None
    try:
        tokens = [list(map(int, ids)) for ids in model.token_ids(texts)]
    except DataError:
        return None
    return hashlib.sha256(json.dumps(tokens).encode()).hexdigest()
