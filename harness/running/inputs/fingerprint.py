"""The fingerprint of a model's inputs: the first images as it prepares them, and their tokens.

Every record keeps it, to tell a changed input (another resize, another tokenizer) from a changed
model.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.capabilities import Model, Tokenizing
from harness.engine.memory import is_out_of_memory
from harness.errors import DataError, MemoryFull
from harness.running.loader import load_batches
from harness.running.prepared import collate_of, contents_of
from harness.task import Sample, Task

SAMPLES = 8  # the first ones, in the order of the annotation file


def fingerprint_inputs(task: Task, model: Model, samples: Sequence[Sample]) -> dict[str, Any]:
    """Return the SHA-256 of the first samples' images, as a batch, and of their token ids.

    None for images that cannot be read, or do not fit into memory together (the run reports them in
    its turn), for a model that shows no tokens, and for a task without texts.
    """
    first = samples[:SAMPLES]
    return {
        "samples": len(first),
        "images": _images(model, first),
        "texts": _texts(task, model, first),
    }


def _images(model: Model, samples: Sequence[Sample]) -> str | None:
    try:
        (batch,) = load_batches([samples], model.prepare, workers=1, collate=collate_of(model))
    except DataError:
        return None
    except Exception as error:
        if isinstance(error, MemoryFull) or is_out_of_memory(error):
            return None
        raise
    image_of, images = batch.image_of.tolist(), batch.images
    if isinstance(images, np.ndarray) and images.dtype == np.uint8:
        pixels = hashlib.sha256(json.dumps([images.shape, image_of]).encode())
        pixels.update(images.tobytes())
    else:
        pixels = hashlib.sha256(json.dumps(image_of).encode())
        for content in contents_of(images):
            pixels.update(b"%d " % len(content) + content)
    return pixels.hexdigest()


def _texts(task: Task, model: Model, samples: Sequence[Sample]) -> str | None:
    texts = [text for sample in samples for text in task.texts(sample)]
    if not texts or not isinstance(model, Tokenizing):
        return None
    distinct = list(dict.fromkeys(texts))  # all boxes of OVAD have the same thousands
    try:
        tokens = [json.dumps(list(map(int, ids))) for ids in model.token_ids(distinct)]
    except DataError:
        return None
    of_text = dict(zip(distinct, tokens, strict=True))
    content = f"[{', '.join(of_text[text] for text in texts)}]"
    return hashlib.sha256(content.encode()).hexdigest()
