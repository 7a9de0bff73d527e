"""Shorter types: every task runs in them, and predicts nearly the same."""

import pytest
import torch

from harness.engine.matmul import Linear, lays_out
from harness.engine.shortlist import cosines
from harness.models.xvlm.heads import applied, mlp
from tasks import TASKS
from tests.support.predicting import alike, least, model_of, predicted


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
        assert torch.equal(applied(head, states), expected[0])
        assert torch.equal(cosines(states, others), expected[1])


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
