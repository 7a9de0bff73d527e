"""Shorter types: every task runs in them, and predicts nearly the same."""

import math

import pytest

from harness.checkpoints import SHAPES, find_weights
from harness.data.chosen import chosen_data, unwatched
from harness.inference.loader import load_batches, plan_batches
from harness.registry import find_task, load_model
from harness.task import Work
from tasks import TASKS

SOME = 12  # samples of each task
SHARES = {"tf32": 0.9, "float16": 0.7, "bfloat16": 0.25}  # of what is predicted, at least: a caption is all or nothing


def model_of(name, device, dtype):
    task = find_task(name)
    return task, load_model(find_weights(SHAPES, task=name, data=None), needs=task.needs, device=device, dtype=dtype)


def samples_of(task):
    split = task.splits[0]
    return task.load(chosen_data(None, {task.name: [split]}, watch=unwatched), split)[:SOME]


def predicted(name, *, device, dtype="float32"):
    """The predictions of some samples of a task, by id."""
    task, model = model_of(name, device, dtype)
    samples = samples_of(task)

    def batches(_):
        return load_batches(plan_batches(samples, 10), model.prepare, workers=2)

    work = Work(samples, frozenset(sample.id for sample in samples), batches, lambda value: [value])
    return {id: prediction for some in task.answer(model, work) for id, prediction in some}


def leaves(prediction):
    """The numbers, words and verdicts of a prediction, whatever they are packed in."""
    if isinstance(prediction, dict):
        return [leaf for name in sorted(prediction) for leaf in (name, *leaves(prediction[name]))]
    return [leaf for part in prediction for leaf in leaves(part)] if isinstance(prediction, list | tuple) else [prediction]


def alike(found, expected, *, within):
    """The share of what was predicted that is the same: numbers within a distance, everything else equal."""
    assert found.keys() == expected.keys()
    pairs = [pair for id in expected for pair in zip(leaves(found[id]), leaves(expected[id]), strict=True)]
    same = [math.isclose(*pair, rel_tol=0, abs_tol=within) if isinstance(pair[1], float) else pair[0] == pair[1] for pair in pairs]
    return sum(same) / len(same)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_predicted_in_shorter_types(name, dtype):
    """How far the numbers move is the benchmark's business (`xvlm-eval bench`)."""
    assert alike(predicted(name, device="cpu", dtype=dtype), predicted(name, device="cpu"), within=0.05) >= SHARES[dtype]
