"""Shorter types: every task runs in them, and predicts nearly the same."""

import math

import pytest
import torch

from harness.callbacks import no_progress
from harness.checkpoints import SHAPES, find_weights
from harness.data.resolve import resolve_data
from harness.engine.matmul import Linear, lays_out
from harness.engine.shortlist import cosine_similarity
from harness.models.xvlm.heads import apply_head, mlp
from harness.registry import find_task, load_model
from harness.running.loader import load_batches, plan_batches
from harness.task import Work
from tasks import TASKS

SOME = 12  # samples of each task
CAPTIONS = {"tf32": 0.7, "float16": 0.6, "bfloat16": 0.2}


def model_of(name, device, dtype):
    task = find_task(name)
    return task, load_model(
        find_weights(SHAPES, task=name, data=None), needs=task.needs, device=device, dtype=dtype
    )


def samples_of(task):
    split = task.splits[0]
    return task.load(resolve_data(None, {task.name: [split]}, progress=no_progress), split)[:SOME]


def predicted(name, *, device, dtype="float32"):
    """The predictions of some samples of a task, by id."""
    task, model = model_of(name, device, dtype)
    samples = samples_of(task)

    def batches(_):
        return load_batches(plan_batches(samples, 10), model.prepare, workers=2)

    work = Work(samples, frozenset(sample.id for sample in samples), batches, lambda value: [value])
    return {id: prediction for some in task.answer(model, work) for id, prediction in some}


def values(prediction):
    """The numbers, words and verdicts of a prediction, whatever they are packed in."""
    parts = prediction.values() if isinstance(prediction, dict) else prediction
    return (
        [value for part in parts for value in values(part)]
        if isinstance(prediction, dict | list | tuple)
        else [prediction]
    )


def alike(found, expected, *, within):
    """The share of what was predicted that is the same: numbers within a distance, everything else equal."""
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
    """The share of predictions that may not change at least. A caption is all or nothing, and words as likely as others change easily."""
    return CAPTIONS[dtype] if name == "coco-caption" else 0.9


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_predicted_in_shorter_types(name, dtype):
    """How far the numbers move is the benchmark's business (`xvlm-eval bench`)."""
    found, expected = predicted(name, device="cpu", dtype=dtype), predicted(name, device="cpu")
    assert alike(found, expected, within=0.05) >= least(name, dtype)
    first = dict.fromkeys(expected, next(iter(expected.values())))
    assert (
        len({str(prediction) for prediction in expected.values()}) > 1 and first != expected
    )  # something is there to be changed


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_heads_and_cosines_are_computed_in_float32_in_every_type(dtype):
    draws = torch.Generator().manual_seed(0)
    states, others = torch.randn(5, 64, generator=draws), torch.randn(7, 64, generator=draws)
    head = mlp(64, 3).requires_grad_(False)
    expected = head(states), states @ others.T
    with torch.autocast("cpu", dtype):
        assert head(states).dtype is torch.float32 and not torch.equal(head(states), expected[0])
        assert torch.equal(apply_head(head, states), expected[0])
        assert torch.equal(cosine_similarity(states, others), expected[1])


def test_a_model_is_ready_to_compute_when_it_is_loaded():
    network = model_of("refcoco+", "cpu", "float32")[1].network
    linear = [part for part in network.modules() if isinstance(part, Linear)]
    assert linear and all((part.weight is None) == lays_out() for part in linear)
    network = model_of("refcoco+", "cpu", "bfloat16")[1].network
    assert all(
        part.weight.dtype is torch.bfloat16
        for part in network.modules()
        if isinstance(part, Linear)
    )
