"""16-bit types: every task runs in them and predicts nearly the same."""

import math

import pytest
import torch
from torch import nn

from harness.callbacks import no_progress
from harness.checkpoints import SHAPES, find_weights
from harness.data.resolve import resolve_data
from harness.engine.matmul import PrepackedLinear, onednn_is_usable
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
    """Return the predictions of some samples of a task, by id."""
    task, model = model_of(name, device, dtype)
    samples = samples_of(task)

    def batches(_):
        return load_batches(plan_batches(samples, 10), model.prepare, workers=2)

    work = Work(samples, frozenset(sample.id for sample in samples), batches, lambda value: [value])
    return {id: prediction for some in task.answer(model, work) for id, prediction in some}


def values(prediction):
    """Return the numbers, words and verdicts in a prediction of any structure."""
    parts = prediction.values() if isinstance(prediction, dict) else prediction
    return (
        [value for part in parts for value in values(part)]
        if isinstance(prediction, dict | list | tuple)
        else [prediction]
    )


def alike(found, expected, *, within):
    """Return the share of values that agree: numbers within a distance, all others if equal."""
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
    """Return the share of values that must agree.

    A caption is all or nothing, and nearly equally likely words change places easily.
    """
    return CAPTIONS[dtype] if name == "coco-caption" else 0.9


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_predicted_in_16_bits(name, dtype):
    """How far the numbers move is measured by `xvlm-eval bench`."""
    found, expected = predicted(name, device="cpu", dtype=dtype), predicted(name, device="cpu")
    assert alike(found, expected, within=0.05) >= least(name, dtype)
    first = dict.fromkeys(expected, next(iter(expected.values())))
    assert len({str(prediction) for prediction in expected.values()}) > 1
    assert first != expected  # the predictions could have changed


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


def encoder_layers(dtype):
    """The linear maps of a loaded model's encoders; those of its head stay as they are."""
    network = model_of("refcoco+", "cpu", dtype)[1].network
    parts = [*network.vision_encoder.modules(), *network.text_encoder.modules()]
    assert all(type(part) is not nn.Linear or part.weight.dtype is torch.float32
               for part in network.bbox_head)  # fmt: skip
    return [part for part in parts if isinstance(part, nn.Linear | PrepackedLinear)]


def test_a_loaded_model_is_prepacked():
    layers = encoder_layers("float32")
    assert layers
    assert all(isinstance(part, PrepackedLinear) == onednn_is_usable() for part in layers)
    assert all(part.weight.dtype is torch.bfloat16 for part in encoder_layers("bfloat16"))
