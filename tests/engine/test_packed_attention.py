"""Packed texts attend without padding: tiles hold every query once, and their kernel is right.

The kernel is tried on a CUDA device, or with `TRITON_INTERPRET=1` on a CPU where Triton is
installed. Elsewhere the same tiles are computed by torch.
"""

from contextlib import nullcontext, suppress
from dataclasses import replace

import pytest
import torch

from harness.engine import kernels, packed_attention
from harness.engine.device import Device, choose_device
from harness.engine.packed_attention import (
    PACKED_ATTENTION,
    Tiles,
    attend_tiles_by_torch,
    cut_by_row,
    cut_by_text,
    packed_attention_is_usable,
)
from harness.engine.packing import pack
from harness.errors import UsageError
from harness.models.fusion.bert import Bert
from harness.models.fusion.sizes import TextArchitecture
from harness.running.runners import predict_samples
from tests.engine.test_packing import chunks
from tests.support.kernel_trials import DEVICE, gpu, needs_kernels
from tests.support.predicting import alike, batches_of, model_of, samples_of

__all__ = ["gpu"]  # a fixture
LENGTHS = [3, 1, 7, 3, 20, 5]
IMAGE_OF = [2, 0, 2, 5, 0, 2]


@pytest.fixture
def fresh_trial():
    packed_attention_is_usable.cache_clear()
    yield
    packed_attention_is_usable.cache_clear()


@pytest.fixture
def random():
    rng = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=rng).to(DEVICE)


def on_device(tiles):
    order = None if tiles.order is None else tiles.order.to(DEVICE)
    return Tiles(tiles.table.to(DEVICE), order, tiles.rows, tiles.most_keys)


def test_texts_are_cut_into_tiles_of_one_text():
    tiles = cut_by_text(torch.tensor([2, 40, 17]), torch.tensor([2, 40, 17]))
    assert (tiles.rows, tiles.order, tiles.most_keys) == (16, None, 40)
    assert tiles.table.tolist() == [
        [0, 2, 0, 2],
        [2, 42, 2, 42],
        [18, 42, 2, 42],
        [34, 42, 2, 42],
        [42, 59, 42, 59],
        [58, 59, 42, 59],
    ]


def test_a_first_token_attends_to_its_whole_text():
    tiles = cut_by_text(torch.ones(2, dtype=torch.long), torch.tensor([2, 4]))
    assert tiles.table.tolist() == [[0, 1, 0, 2], [1, 2, 2, 6]]


def test_tokens_are_cut_by_their_image_in_an_order_that_sorts_them():
    tiles = cut_by_row(torch.tensor([1, 0, 1]), 3)
    assert tiles.table.tolist() == [[0, 1, 0, 0], [1, 3, 1, 0]]
    assert tiles.order.tolist() == [1, 0, 2] and tiles.most_keys is None
    assert cut_by_row(torch.tensor([0, 1, 1]), 3).order is None
    alone = cut_by_row(None, 100)
    assert (alone.rows, alone.table.tolist()) == (64, [[0, 100, 0, 0], [64, 100, 0, 0]])


@pytest.mark.parametrize("by_kernel", [False, pytest.param(True, marks=needs_kernels)])
@pytest.mark.parametrize("image_of", [None, IMAGE_OF], ids=["one image", "many images"])
def test_a_network_computes_the_same_without_padding(random, monkeypatch, image_of, by_kernel):
    sizes = TextArchitecture(
        vocabulary=50, positions=24, layers=4, fusion_layer=2, width=24, heads=2,
        inner_width=32, encoder_width=20,
    )  # fmt: skip
    torch.manual_seed(0)
    bert = Bert(sizes).eval().requires_grad_(False).to(DEVICE)
    if by_kernel:
        attend = packed_attention._attend_by_kernel
        monkeypatch.setattr(
            "harness.models.fusion.layers.attend_tiles",
            lambda query, tiles, keys, values, mask=None: attend(
                query, tiles, keys, values, mask, "ieee"
            ),
        )
    images = random(6, 9, 20)
    mask = torch.ones(6, 9)
    mask[2, 5:] = 0
    texts = [[(7 * text + place) % 50 for place in range(n)] for text, n in enumerate(LENGTHS)]
    results = []
    for context in (nullcontext(), packed_attention.packed_attention(True)):
        with context, torch.inference_mode():
            (packed,) = pack(LENGTHS, chunks(1000, 2), image_of=image_of)
            there, ids = packed.to(torch.device(DEVICE)), packed.ids_of(texts).to(DEVICE)
            kv = bert.project_kv(images, mask).of_images(packed.images)
            results.append((bert.multi_modal(ids, there, kv), bert.multi_modal_cls(ids, there, kv)))
        assert (there.tokens.by_text.tiles is None) == (len(results) == 1)
    for padded, packed in zip(*results, strict=True):
        assert torch.allclose(padded, packed, rtol=0, atol=1e-5)


@needs_kernels
@pytest.mark.parametrize("width", [12, 16, 64])
def test_the_kernel_attends_as_torch_does(random, width):
    lengths = torch.tensor([70, 1, 33, 9])
    states = random(3, int(lengths.sum()), 2 * width)
    query, *kv = states
    keys, values = (part.unflatten(-1, (2, -1)).transpose(0, 1)[None] for part in kv)
    tiles = on_device(cut_by_text(lengths, lengths))
    expected = attend_tiles_by_torch(query, tiles, keys, values)
    result = packed_attention._attend_by_kernel(query, tiles, keys, values, None, "ieee")
    assert torch.allclose(result, expected, rtol=0, atol=1e-5)
    keys, values = random(3, 2, 40, width), random(3, 2, 45, width)[:, :, :40]
    mask = torch.zeros(3, 1, 1, 40, device=DEVICE)
    mask[0, ..., :35], mask[1, ..., 3:] = -torch.inf, -torch.inf
    tiles = on_device(cut_by_row(torch.arange(len(query)) * 7 % 3, len(query)))
    for added in (None, mask, mask[:1]):
        expected = attend_tiles_by_torch(query, tiles, keys, values, added)
        result = packed_attention._attend_by_kernel(query, tiles, keys, values, added, "ieee")
        assert torch.allclose(result, expected, rtol=0, atol=1e-5)


@needs_kernels
def test_a_kernel_that_is_right_is_usable(fresh_trial):
    assert packed_attention_is_usable(torch.device(DEVICE))


@pytest.mark.parametrize("wrong", ["texts", "images"])
def test_a_kernel_that_is_wrong_is_not_used(monkeypatch, fresh_trial, wrong):
    def compute(query, keys, values, mask, precision, *, table, order, rows, most_keys):
        tiles = Tiles(table, order, rows, most_keys)
        scale = 1.5 if (most_keys is None) == (wrong == "images") else 1.0
        return attend_tiles_by_torch(scale * query, tiles, keys, values, mask)

    class Kernels:
        packed_attention = staticmethod(compute)

    monkeypatch.setattr(packed_attention, "kernels", Kernels)
    with pytest.warns(
        UserWarning,
        match=f"^no packed attention, padded texts instead: tokens attended in {wrong} differ by",
    ):
        assert not packed_attention_is_usable(torch.device("cpu"))


@pytest.mark.parametrize(
    ("setting", "dtypes"),
    [(None, []), ("", []), ("0", []), ("1", ["tf32", "float16", "bfloat16"])],
)
def test_texts_are_padded_unless_it_is_asked_otherwise(gpu, monkeypatch, setting, dtypes):
    monkeypatch.setattr(packed_attention, "packed_attention_is_usable", lambda device: True)
    if setting is not None:
        monkeypatch.setenv(PACKED_ATTENTION, setting)
    every = ["float32", "tf32", "float16", "bfloat16"]
    chosen = [dtype for dtype in every if choose_device("cuda", dtype).packed_attention]
    assert chosen == dtypes
    assert not choose_device("cpu", "float32").packed_attention
    if dtypes:
        assert choose_device("cuda", "tf32").name == "cuda (H100, packed attention)"


def test_an_unknown_setting_is_refused(monkeypatch):
    monkeypatch.setenv(PACKED_ATTENTION, "auto")
    with pytest.raises(UsageError, match=f"{PACKED_ATTENTION}=auto: expected 0 or 1"):
        choose_device("cpu", "float32")


def test_a_device_cuts_tiles_only_where_it_attends_by_the_kernel():
    device = Device(torch.device("cpu"), "float32", packed_attention=True)
    cuts_tiles = packed_attention.packed_attention
    assert not cuts_tiles.is_on
    with device.computing():
        assert cuts_tiles.is_on
        with device.computing(gradients=True):
            assert not cuts_tiles.is_on
        assert cuts_tiles.is_on
        with suppress(ZeroDivisionError), device.computing(gradients=True):
            raise ZeroDivisionError
        assert cuts_tiles.is_on
    assert not kernels.fused_kernels.is_on


@pytest.mark.parametrize("name", ["nlvr2", "coco-retrieval", "refcoco+-weak"])
def test_every_kind_of_task_is_predicted_the_same_without_padding(name):
    task, model = model_of(name, "cpu", "float32")
    samples = samples_of(task)
    batches = list(batches_of(samples, model))
    padded = predict_samples(task, model, samples, batches)
    model.runtime.device = replace(model.runtime.device, packed_attention=True)
    assert alike(predict_samples(task, model, samples, batches), padded, within=1e-4) == 1
