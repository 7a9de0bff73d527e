"""The batch size: how it is chosen, and how a batch is cut."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from harness.engine.device import Device
from harness.errors import MemoryFull
from harness.running.batch_size import fitting_batch_size
from harness.running.loader import cut, plan_batches
from harness.running.processes.distributed import deal
from harness.task import Sample
from harness.workload import Workload
from tests.support.costs import MEGA, WithCosts
from tests.support.scarce_memory import CUDA_WORDS


class HundredImages:
    """A task of 100 samples about 100 images."""

    def workload(self, samples):
        return Workload(samples=100, images=100, pairs=100, pairs_at_most=100)


@pytest.mark.parametrize(
    ("free", "size"),
    [
        (10_000, 32),
        (840, 32),
        (839, 16),
        (520, 16),
        (519, 8),
        (220, 1),
        (5, 1),
    ],  # twice 100 + 10 a sample, in MB
)
def test_the_batch_is_the_largest_power_of_two_that_takes_half_of_the_free_memory(free, size):
    assert fitting_batch_size(HundredImages(), WithCosts(free * MEGA), range(100)) == size


def test_without_a_cost_model_or_a_known_amount_of_memory_a_batch_is_of_32():
    assert fitting_batch_size(HundredImages(), SimpleNamespace(), range(100)) == 32
    assert fitting_batch_size(HundredImages(), WithCosts(None, largest=128), range(100)) == 32


def test_the_workload_of_a_batch_is_rounded_up():
    whole = Workload(samples=10, images=3, pairs=10, pairs_at_most=20, texts=["a"] * 50)
    assert whole.part(4) == Workload(
        samples=4, images=2, pairs=4, pairs_at_most=8, texts=["a"] * 20
    )


def test_pieces_of_a_batch_hold_the_same_samples_and_keep_images_together_where_possible():
    batch = [Sample(number, (Path(f"{image}.jpg"),)) for number, image in enumerate("aaabbcdddddd")]
    pieces = [[sample.id for sample in piece] for piece in cut(batch, 4)]
    assert pieces == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9], [10, 11]]
    assert [len(piece) for piece in cut(batch, 1)] == [1] * 12


def test_shards_follow_from_the_planned_batches_not_from_the_cut_ones():
    samples = [Sample(number, (Path(f"{number // 2}.jpg"),)) for number in range(40)]
    owned = [
        [s.id for batch in own for piece in cut(batch, 1) for s in piece]
        for own in deal(plan_batches(samples, 4), 3)
    ]
    assert sorted(id for ids in owned for id in ids) == list(range(40))


@pytest.mark.parametrize("wrong", [torch.OutOfMemoryError(CUDA_WORDS), MemoryError()])
def test_a_full_memory_is_told_from_other_failures(wrong):
    device = Device(torch.device("cpu"), "float32")
    with pytest.raises(MemoryFull, match=r"^cpu: out of memory$"), device.computing():
        raise wrong
    with pytest.raises(MemoryFull), device.computing():
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match="shapes"), device.computing():
        torch.ones(2, 3) @ torch.ones(2, 3)
