"""Weights under other names, without tied tensors, or of another kind than X-VLM."""

import gzip
import re

import pytest
import torch
from safetensors.torch import save_file

from harness.cli.main import main
from harness.errors import CheckpointError
from harness.models.weights import read_tensors
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.networks import captioning_network, pair_network
from tests.support.models_on_disk import (
    grounding_state,
    is_same,
    load_grounding,
    random_state,
    sizes,
    write_checkpoint,
)
from tests.support.refcoco_files import write as write_refcoco


def renamed(change):
    return {change(name): tensor for name, tensor in grounding_state().items()}


@pytest.mark.parametrize("key", ["model", "state_dict", "model_state_dict", None])
@pytest.mark.parametrize(
    "change",
    [
        lambda name: name,
        lambda name: f"module.{name}",
        lambda name: f"model.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: f"module._orig_mod.{name}",
        lambda name: f"_orig_mod.module.{name}",
        lambda name: name.replace("vision_encoder.", "vision_encoder._orig_mod."),
    ],
)
def test_wrappers_and_prefixes_are_removed(key, change, tmp_path):
    state = renamed(change)
    torch.save({key: state, "epoch": 3} if key else state, tmp_path / "c.th")
    assert is_same(load_grounding(tmp_path / "c.th"), grounding_state())


def test_prefixed_tensors_beside_others_are_not_merged(tmp_path):
    state = grounding_state() | renamed(lambda name: f"_orig_mod.{name}")
    torch.save(state, tmp_path / "c.th")
    with pytest.raises(CheckpointError, match="differ only by"):
        read_tensors(tmp_path / "c.th")


@pytest.mark.parametrize("new_format", [True, False])
def test_a_dictionary_without_tensors_shows_its_keys(new_format, tmp_path):
    torch.save({"net": {}, "ema": {}}, tmp_path / "c.th", _use_new_zipfile_serialization=new_format)
    with pytest.raises(CheckpointError, match=r"holds no tensors.*its keys are net, ema"):
        read_tensors(tmp_path / "c.th")


@pytest.mark.parametrize("keys", [["model"], ["state_dict", "model"]])
@pytest.mark.parametrize("new_format", [True, False])
def test_a_dictionary_that_contains_itself_ends(keys, new_format, tmp_path):
    whole = inner = {}
    for key in keys[:-1]:
        inner[key] = inner = {}
    inner[keys[-1]] = whole
    torch.save(whole, tmp_path / "c.th", _use_new_zipfile_serialization=new_format)
    with pytest.raises(CheckpointError, match="holds no tensors"):
        read_tensors(tmp_path / "c.th")


def test_tensors_under_another_key_are_found_but_not_guessed(tmp_path):
    torch.save({"net": grounding_state(), "epoch": 3}, tmp_path / "c.th")
    with pytest.raises(CheckpointError, match="its 'net' does: save that one alone"):
        read_tensors(tmp_path / "c.th")


@pytest.mark.parametrize(
    "change",
    [
        lambda tensor: tensor.to(torch.float8_e4m3fn),
        lambda tensor: tensor.to("meta"),
        lambda tensor: tensor.to_sparse(),
    ],
    ids=["8-bit floats", "without storage", "sparse"],
)
def test_a_tensor_that_is_not_stored_as_plain_numbers_is_named(change, tmp_path):
    name = "bbox_head.0.weight"
    state = {**grounding_state(), name: change(grounding_state()[name])}
    torch.save({"model": state}, tmp_path / "c.th")
    with pytest.raises(CheckpointError, match=rf"{name} is not stored as plain .*save it dense"):
        read_tensors(tmp_path / "c.th")


WORDS = "text_decoder.bert.embeddings.word_embeddings.weight"


HEAD = "text_decoder.cls.predictions."


@pytest.mark.parametrize(
    "left_out",
    [[f"{HEAD}decoder.weight"], [WORDS], [f"{HEAD}bias"], [f"{HEAD}decoder.bias"],
     [f"{HEAD}decoder.weight", f"{HEAD}decoder.bias"]],
)  # fmt: skip
def test_a_tied_tensor_is_needed_once(left_out, tmp_path):
    state = random_state("captioning", sizes())
    state[f"{HEAD}decoder.weight"], state[f"{HEAD}decoder.bias"] = (
        state[WORDS],
        state[f"{HEAD}bias"],
    )
    kept = {name: tensor for name, tensor in state.items() if name not in left_out}
    write_checkpoint(tmp_path / "c.th", kept)
    assert is_same(captioning_network(read_checkpoint(tmp_path / "c.th")).state_dict(), state)


def test_a_tensor_that_is_tied_to_nothing_in_the_file_is_missing(tmp_path):
    state = random_state("captioning", sizes())
    kept = {name: tensor for name, tensor in state.items() if not name.endswith("bias")}
    with pytest.raises(CheckpointError, match=r"lacks .*so the model would be partly random"):
        captioning_network(read_checkpoint(write_checkpoint(tmp_path / "c.th", kept)))


@pytest.mark.parametrize("layer", [1, 2])
def test_keys_and_values_that_a_pair_of_layers_shares_are_needed_once(layer, tmp_path):
    state = random_state("nlvr", sizes())
    gone = re.compile(
        rf"text_encoder\.encoder\.layer\.{layer}\.crossattention\.self\.(key|value)\..*"
    )
    kept = {name: tensor for name, tensor in state.items() if not gone.fullmatch(name)}
    assert len(kept) == len(state) - 4
    path = write_checkpoint(tmp_path / "c.th", kept)
    assert is_same(pair_network(read_checkpoint(path)).state_dict(), state)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.uint16])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_types_in_which_no_weights_are_read_are_named(tmp_path, dtype, suffix):
    path = tmp_path / f"weights{suffix}"
    state = {"one.weight": torch.ones(2, 2).to(dtype)}
    if suffix == ".pth":
        torch.save({"model": state}, path)
    else:
        save_file(state, path)
    with pytest.raises(
        CheckpointError, match=r"weight .*save it dense, in float32, float16 or bfloat16"
    ):
        read_tensors(path)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int64, torch.bool])
def test_weights_as_whole_numbers_are_refused(dtype, tmp_path):
    name = "text_encoder.encoder.layer.0.intermediate.dense.weight"
    state = grounding_state() | {name: grounding_state()[name].to(dtype)}
    with pytest.raises(CheckpointError, match=f"weights as {str(dtype)[6:]} .*scales of quantised"):
        load_grounding(write_checkpoint(tmp_path / "c.th", state))


PAGE = b"<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>"


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize("name", ["c.th", "c.pth", "c.bin", "c.safetensors"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (PAGE, "is an HTML page"),
        (b"\n\n  " + PAGE.lower(), "is an HTML page"),
        (POINTER, "is a Git LFS pointer.*git lfs pull"),
        (gzip.compress(b"x" * 100, mtime=0), "is compressed by gzip"),
        (b"", "is empty"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(50), "is a 7z archive"),
    ],
)
def test_a_file_that_is_something_else_is_said_to_be_that(name, content, sentence, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name}: {sentence}"):
        read_tensors(tmp_path / name)


def test_a_misnamed_file_is_said_to_be_what_it_is(tmp_path):
    save_file(grounding_state(), tmp_path / "c.th")
    with pytest.raises(CheckpointError, match=r"c\.th: is a safetensors file.*c\.safetensors"):
        read_tensors(tmp_path / "c.th")
    torch.save(grounding_state(), tmp_path / "d.safetensors")
    with pytest.raises(
        CheckpointError, match=r"d\.safetensors: is a zip archive, or a file of PyT"
    ):
        read_tensors(tmp_path / "d.safetensors")


def without(prefix):
    return {
        name: tensor for name, tensor in grounding_state().items() if not name.startswith(prefix)
    }


def clip_vit():
    """The names of X-VLM's `clip_vit.py`."""
    names = ("class_embedding", "patch_embed.weight", "pos_embed.weight", "pre_layrnorm.weight",
             "encoder.layers.0.self_attn.k_proj.weight")  # fmt: skip
    return without("vision_encoder.") | {f"vision_encoder.{name}": torch.ones(4) for name in names}


def deit():
    """The names of X-VLM's `vit.py`."""
    names = ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight")
    return without("vision_encoder.") | {f"vision_encoder.{name}": torch.ones(4) for name in names}


def fine_tuned_roberta():
    name = "text_encoder.embeddings.token_type_embeddings.weight"
    return grounding_state() | {name: grounding_state()[name][:1]}


def pre_trained_roberta():
    return {
        name.replace("text_encoder.", "text_encoder.roberta."): tensor
        for name, tensor in grounding_state().items()
    }


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (clip_vit, "its vision encoder is a CLIP-ViT, which is not supported"),
        (deit, "its vision encoder is a ViT (DeiT's, as ALBEF has), which is not supported"),
        (fine_tuned_roberta, "its text encoder is a RoBERTa, which is not supported"),
        (pre_trained_roberta, "its text encoder is a RoBERTa, which is not supported"),
    ],
)
def test_an_x_vlm_with_another_encoder_is_unsupported_in_every_verb(
    state, sentence, tmp_path, capsys
):
    weights = str(write_checkpoint(tmp_path / "c.th", state()))
    data = str(write_refcoco(tmp_path / "data"))
    run = ["run", "--task", "refcoco+", "--data", data, "--checkpoint", weights]
    for command in (["checkpoint", weights], run, [*run, "--plan"]):
        assert main(command) == 3
        answer = capsys.readouterr()
        assert sentence in answer.err and "can be evaluated" not in answer.out
    assert main(["doctor", "--data", data, "--checkpoint", weights]) == 1
    assert sentence in " ".join(capsys.readouterr().out.split())
