"""Predict some samples of a task with the embedded model, on any device and in any type."""

import math
from functools import cache

from harness.callbacks import no_progress
from harness.checkpoints import SHAPES, find_weights
from harness.data.resolve import resolve_data
from harness.registry import find_task, load_model
from harness.running.loader import load_batches, plan_batches
from harness.running.runners import predict_samples
from tasks import TASKS

# The tasks that models are tuned for; the others are predicted by the same code and weights.
TUNED = [name for name in TASKS if not find_task(name).weights_of]
SOME = 12  # samples of each task, and so many of a gallery, whose pairs are scored
OF_GALLERY = 6
RELEASED_FOR = {"refcoco+-weak": "coco-retrieval"}  # task -> task of embedded weights
STEP = {"refcoco+-weak": 30}  # its first samples are about one image and one of its boxes
CAPTIONS = {"tf32": 0.7, "float16": 0.6, "bfloat16": 0.2}


def model_of(name, device, dtype):
    task = find_task(name)
    released = RELEASED_FOR.get(name, name)
    weights = find_weights(SHAPES, task=released, data=None, like=task.weights_of)
    return task, load_model(weights, needs=task.needs, device=device, dtype=dtype)


def samples_of(task):
    return _samples(task.name)


@cache
def _samples(name):
    task = find_task(name)
    split = task.splits[0]
    data = resolve_data(None).open({name: [split]}, progress=no_progress)
    some = OF_GALLERY if name.endswith("retrieval") else SOME
    return task.load(data, split)[:: STEP.get(name, 1)][:some]


def batches_of(samples, model):
    """The samples in two batches."""
    return load_batches(plan_batches(samples, len(samples) - 2), model.prepare, workers=2)


def predicted(name, *, device, dtype="float32"):
    """The predictions of some samples of a task, by id."""
    task, model = model_of(name, device, dtype)
    samples = samples_of(task)
    return predict_samples(task, model, samples, batches_of(samples, model))


@cache
def predicted_on_cpu(name):
    """The predictions of some samples of a task in float32, made once in a process."""
    return predicted(name, device="cpu")


def values(prediction):
    """The numbers, words and verdicts of a prediction, whatever they are packed in."""
    parts = prediction.values() if isinstance(prediction, dict) else prediction
    return (
        [value for part in parts for value in values(part)]
        if isinstance(prediction, dict | list | tuple)
        else [prediction]
    )


def alike(found, expected, *, within):
    """The share of equal values in the predictions; numbers are equal within a distance."""
    assert found.keys() == expected.keys()
    pairs = [
        pair
        for id in expected
        for pair in zip(values(found[id]), values(expected[id]), strict=True)
    ]
    same = [
        math.isclose(*pair, rel_tol=0, abs_tol=within)
        if isinstance(pair[1], float)
        else pair[0] == pair[1]
        for pair in pairs
    ]
    return sum(same) / len(same)


def least(name, dtype):
    """The least share of predictions that must not change.

    A caption is compared whole, and near-ties between tokens change it easily.
    """
    return CAPTIONS[dtype] if name == "coco-caption" else 0.9
