"""A network ready to run: its vocabulary, its images a chunk at a time, its texts as tokens."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.engine.chunks import CHUNK_SIZES
from harness.engine.device import choose_device
from harness.errors import CheckpointError, DataError
from harness.models.fusion import runtime
from harness.models.fusion.preprocessing import normalise
from harness.models.fusion.runtime import Runtime, TextRule
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.networks import grounding_network
from harness.models.xvlm.preprocessing import pre_caption
from tests.support.models_on_disk import write_checkpoint

CPU = choose_device("cpu", "float32")


def runtime_of(folder):
    checkpoint = read_checkpoint(write_checkpoint(folder / "c.th"))
    return Runtime(grounding_network(checkpoint), Tokenizer(folder / "vocab.txt"), CPU)


def test_a_vocabulary_of_another_model_is_refused(tmp_path):
    runtime_of(tmp_path)
    with (tmp_path / "vocab.txt").open("a") as file:
        file.write("more\n")
    checkpoint = read_checkpoint(tmp_path / "c.th")
    with pytest.raises(CheckpointError, match=r"has 14 word pieces.*trained with 13"):
        Runtime(grounding_network(checkpoint), Tokenizer(tmp_path / "vocab.txt"), CPU)


def test_images_are_encoded_a_chunk_at_a_time_and_freed_memory_is_released(tmp_path, monkeypatch):
    model, chunks, released = runtime_of(tmp_path), [], []
    images = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with CPU.computing():
        together = model.encode_images(images)
    model.network.vision_encoder.register_forward_hook(
        lambda _, args, tokens: chunks.append(len(args[0]))
    )
    monkeypatch.setattr(runtime, "release_freed_memory", lambda: released.append(None))
    sizes = replace(CHUNK_SIZES["cpu"], image_patches=2 * 16 * 16)  # two images of 64 px
    monkeypatch.setitem(CHUNK_SIZES, "cpu", sizes)
    with CPU.computing():
        tokens = model.encode_images(images)
    assert chunks == [2, 2, 1] and not released  # of a small model, it would take too long
    monkeypatch.setattr(runtime, "RELEASED_FROM", tokens.nbytes)
    with CPU.computing():
        model.encode_images(images)
    assert len(released) == 1
    assert torch.allclose(tokens, together, atol=1e-5)


def test_texts_are_cleaned_tokenised_and_cut(tmp_path):
    model = runtime_of(tmp_path)
    pieces = model.tokenizer.pieces
    assert [
        pieces[number]
        for number in model.token_ids(["The  RED cup!"], TextRule(pre_caption, 30))[0]
    ] == [
        "[CLS]",
        "the",
        "red",
        "cup",
    ]
    assert model.token_ids(["the red cup", "a"], TextRule(max_tokens=2)) == [
        model.tokenizer.ids("the"),
        model.tokenizer.ids("a"),
    ]


def test_a_text_that_is_empty_after_cleaning_or_too_long_is_refused(tmp_path):
    model = runtime_of(tmp_path)
    with pytest.raises(DataError, match=r"the text '\?!' cannot be used: nothing is left"):
        model.token_ids(["?!"], TextRule(pre_caption, 30))
    long = "a " * 20
    with pytest.raises(DataError, match="21 tokens, the model reads 16"):
        model.token_ids([long])
    assert len(model.token_ids([long], TextRule(max_tokens=16))[0]) == 16


def test_the_mean_length_is_that_of_the_cut_texts(tmp_path):
    model = runtime_of(tmp_path)
    assert model.mean_length(["a", "a red cup"]) == 3.0
    assert model.mean_length(["a", "a red cup"], TextRule(max_tokens=2)) == 2.0
    assert model.mean_length([]) == 0.0


def test_prepared_images_are_normalised_by_channel():
    images = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    images[..., 1] = 255
    pixels = normalise(images, CPU)
    assert pixels.shape == (1, 3, 2, 2)
    expected = [-0.48145466 / 0.26862954, (1 - 0.4578275) / 0.26130258, -0.40821073 / 0.27577711]
    assert pixels[0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-6)
