"""Weight files: read without running code, loaded strictly, refused in a sentence."""

import argparse
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from harness.errors import CapabilityError, CheckpointError
from harness.models.xvlm.checkpoint import read_checkpoint
from tests.support.models_on_disk import (
    grounding_state,
    is_same,
    load_grounding,
    sizes,
    write_checkpoint,
)


@pytest.mark.parametrize(
    "content",
    [lambda state: {"model": state, "epoch": 3, "config": {"image_res": 64}}, lambda state: state],
)
def test_a_state_dictionary_is_found_under_model_or_bare(tmp_path, content):
    torch.save(content(grounding_state()), tmp_path / "c.th")
    assert is_same(load_grounding(tmp_path / "c.th"), grounding_state())


def test_safetensors_are_read_too(tmp_path):
    save_file(grounding_state(), tmp_path / "c.safetensors")
    assert is_same(load_grounding(tmp_path / "c.safetensors"), grounding_state())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_become_float32(tmp_path, dtype):
    write_checkpoint(
        tmp_path / "c.th", {name: tensor.to(dtype) for name, tensor in grounding_state().items()}
    )
    assert {tensor.dtype for tensor in load_grounding(tmp_path / "c.th").values()} == {
        torch.float32
    }


def test_sizes_and_resolution_are_read_from_the_tensors(tmp_path):
    checkpoint = read_checkpoint(write_checkpoint(tmp_path / "c.th"))
    assert (checkpoint.kind, checkpoint.architecture) == ("bbox", sizes())


def test_a_pre_training_checkpoint_grounds_with_its_bbox_head(tmp_path):
    state = {
        name.replace("text_encoder.", "text_encoder.bert."): tensor
        for name, tensor in grounding_state().items()
    }
    others = {
        "temp": torch.ones(()),
        "itm_head.0.weight": torch.ones(2, 2),
        "text_encoder.cls.predictions.bias": torch.ones(3),
    }
    assert is_same(
        load_grounding(write_checkpoint(tmp_path / "c.th", state | others)), grounding_state()
    )


def test_command_lines_and_numpy_numbers_in_a_file_are_accepted(tmp_path):
    extra = {"args": argparse.Namespace(lr=1e-4), "best": np.float64(84.5), "epoch": np.int64(9)}
    torch.save({"model": grounding_state(), **extra}, tmp_path / "c.th")
    assert is_same(load_grounding(tmp_path / "c.th"), grounding_state())


class Attack:
    def __reduce__(self):
        return os.system, ("touch pwned",)


@pytest.mark.parametrize(
    "write",
    [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))],
    ids=["torch", "pickle"],
)
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    write({"model": grounding_state(), "attack": Attack()}, tmp_path / "c.th")
    with pytest.raises(CheckpointError, match=r"c\.th"):
        read_checkpoint(tmp_path / "c.th")
    assert not (tmp_path / "pwned").exists()


def changed(**tensors):
    """The weights with some replaced or, given as None, left out; `__` stands for a dot."""
    state = grounding_state() | {
        name.replace("__", "."): tensor for name, tensor in tensors.items()
    }
    return {name: tensor for name, tensor in state.items() if tensor is not None}


def only(prefix):
    return {name: tensor for name, tensor in grounding_state().items() if name.startswith(prefix)}


def with_head(name):
    rest = {
        key: tensor for key, tensor in grounding_state().items() if not key.startswith("bbox_head.")
    }
    return rest | {f"{name}.weight": torch.zeros(2, 2)}


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (
            changed(vision_encoder__norm__weight=None),
            "lacks vision_encoder.norm.weight, so the model would be partly random",
        ),
        (
            changed(vision_encoder__norm__extra=torch.zeros(2)),
            "holds vision_encoder.norm.extra, which this model has no place for",
        ),
        (
            changed(bbox_head__3__bias=torch.zeros(5)),
            r"bbox_head.3.bias is \(5,\) instead of \(4,\)",
        ),
        (
            changed(bbox_head__3__bias=torch.full((4,), torch.nan)),
            "bbox_head.3.bias hold numbers that are not finite",
        ),
        (changed(text_encoder__encoder__layer__0__intermediate__dense__weight=None), "incomplete"),
        (only("vision_encoder."), "not an X-VLM checkpoint"),
        (only("bbox_head."), "only one of them"),
        (
            with_head("itm_head.0"),
            r"for retrieval \(itm_head\); grounding needs one with a bbox_head",
        ),
        (with_head("cls_head.0"), r"for NLVR2 \(cls_head\)"),
        (with_head("text_decoder.bert"), "for question answering"),
        ({"classifier.weight": torch.zeros(2, 2)}, "not an X-VLM checkpoint.*classifier"),
        ({}, "holds no tensors"),
        ([1, 2], "not a dictionary"),
    ],
)
def test_a_misfit_is_reported_in_a_sentence(tmp_path, state, complaint):
    torch.save({"model": state} if isinstance(state, dict) else state, tmp_path / "c.th")
    with pytest.raises(CheckpointError, match=complaint):
        load_grounding(tmp_path / "c.th")


@pytest.mark.parametrize("name", ["c.th", "c.pth", "c.safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 100, b"PK\x03\x04 broken", b"\x80\x02}q\x00.", b"{}", b"\xff" * 64]
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="c\\."):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_whose_download_broke_off_is_refused(tmp_path, share):
    content = write_checkpoint(tmp_path / "c.th").read_bytes()
    (tmp_path / "c.th").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "c.th")


def test_a_text_width_that_heads_of_64_do_not_divide_needs_a_configuration(tmp_path):
    state = {
        name: tensor
        for name, tensor in grounding_state().items()
        if not name.startswith("text_encoder.embeddings")
    }
    embeddings = {
        f"text_encoder.embeddings.{name}_embeddings.weight": torch.zeros(13, 48)
        for name in ("word", "position")
    }
    path = write_checkpoint(tmp_path / "c.th", state | embeddings)
    with pytest.raises(CheckpointError, match=r"48 wide.*config\.json"):
        read_checkpoint(path)
    (tmp_path / "c.json").write_text('{"config": {"text_config": {"num_attention_heads": 4}}}')
    assert read_checkpoint(path, tmp_path / "c.json").architecture.text.heads == 4


@pytest.mark.parametrize("heads", ["0", "-1", "true", '"4"', "1.5"])
def test_a_configuration_with_a_nonsensical_size_is_refused(tmp_path, heads):
    (tmp_path / "c.json").write_text(f'{{"text_config": {{"num_attention_heads": {heads}}}}}')
    with pytest.raises(CheckpointError, match=r"c\.json: num_attention_heads is"):
        read_checkpoint(write_checkpoint(tmp_path / "c.th"), tmp_path / "c.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"text_config": 3}', "nonsense"])
def test_the_configuration_of_another_tool_is_ignored(tmp_path, content):
    (tmp_path / "c.json").write_text(content)
    assert (
        read_checkpoint(write_checkpoint(tmp_path / "c.th"), tmp_path / "c.json").architecture
        == sizes()
    )


@pytest.mark.parametrize(
    ("side", "complaint"),
    [
        (32, r"windows of \[2, 2, 2, 2\] tokens a side, an image of 32 px has \[2, 2, 2, 1\]"),
        (96, "3 tokens a side, which windows of 2 do not tile"),
        (100, "100 px cannot be halved 3 times"),
    ],
)
def test_an_image_side_that_contradicts_the_windows_is_refused(tmp_path, side, complaint):
    (tmp_path / "c.json").write_text(f'{{"image_res": {side}}}')
    with pytest.raises(CheckpointError, match=complaint):
        read_checkpoint(write_checkpoint(tmp_path / "c.th", grounding_state()), tmp_path / "c.json")


def test_another_head_lacks_a_capability_and_a_damaged_file_does_not(tmp_path):
    with pytest.raises(CapabilityError):
        load_grounding(write_checkpoint(tmp_path / "c.th", with_head("itm_head.0")))
    with pytest.raises(CheckpointError) as caught:
        load_grounding(write_checkpoint(tmp_path / "c.th", changed(bbox_head__3__bias=None)))
    assert not isinstance(caught.value, CapabilityError)


def test_a_tensor_with_more_numbers_than_the_file_stores_is_refused(tmp_path):
    huge = torch.zeros(1).expand(4)  # 4 numbers, 1 of them stored
    torch.save({"model": changed(bbox_head__3__bias=huge)}, tmp_path / "c.th")
    with pytest.raises(CheckpointError, match=r"bbox_head\.3\.bias.*fewer numbers"):
        load_grounding(tmp_path / "c.th")


@pytest.mark.parametrize(
    "strange",
    [
        torch.zeros(4, dtype=torch.complex64),
        torch.zeros(4).to_sparse(),
        torch.zeros(4, device="meta"),
    ],
)
def test_a_tensor_of_an_unexpected_kind_is_refused(tmp_path, strange):
    torch.save({"model": changed(bbox_head__3__bias=strange)}, tmp_path / "c.th")
    with pytest.raises(CheckpointError, match=r"c\.th.*bbox_head\.3\.bias"):
        load_grounding(tmp_path / "c.th")
