"""Weight files as others save them: with harmless company, other names, or of another kind."""

import argparse
import collections
import contextlib
import datetime
import decimal
import enum
import functools
import gzip
import operator
import os
import pathlib
import pickle
import random
import re
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from harness.cli.main import main
from harness.errors import CheckpointError
from harness.models.weights import read_tensors
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.networks import captioning_network, grounding_network, pair_network
from tests.support.models_on_disk import (
    grounding_state,
    random_state,
    sizes,
    write_checkpoint,
)
from tests.support.refcoco_files import write as write_refcoco


def load(path):
    return grounding_network(read_checkpoint(path)).state_dict()


def is_same(state, expected):
    return state.keys() == expected.keys() and all(
        torch.equal(state[name], expected[name]) for name in expected
    )


@pytest.fixture
def commented_map(monkeypatch):
    """A configuration of the class that ruamel.yaml 0.18 loads, as its pickles name it."""

    class CommentedMap(collections.OrderedDict):
        def __init__(self):
            super().__init__()
            self.comment = None

        def __reduce__(self):
            return CommentedMap, (), {"comment": self.comment}, None, iter(self.items())

    module = types.ModuleType("ruamel.yaml.comments")
    CommentedMap.__module__, CommentedMap.__qualname__ = module.__name__, "CommentedMap"
    module.CommentedMap = CommentedMap
    for name in ("ruamel", "ruamel.yaml"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    config = CommentedMap()
    config["image_res"] = 384
    config["test_file"] = ["a.json", CommentedMap()]
    return config


class Phase(enum.Enum):
    TRAIN = 1


class Settings:
    """An object with state, as training code has it."""

    def __init__(self):
        self.rate = 1e-4


class Slotted:
    __slots__ = ("rate",)

    def __init__(self):
        self.rate = 1e-4


def optimizer():
    parameter = torch.nn.Parameter(torch.ones(3))
    chosen = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    chosen.step()
    return chosen


COMPANY = {
    "a command line": lambda: argparse.Namespace(lr=1e-4, out=pathlib.PosixPath("/x")),
    "an array": lambda: np.arange(6.0).reshape(2, 3),
    "an array of objects": lambda: np.array([{"a": 1}, None], dtype=object),
    "numbers of NumPy": lambda: [np.float64(1.5), np.int64(9), np.bool_(True), np.str_("a")],
    "random states": lambda: [
        random.getstate(),
        np.random.get_state(),
        np.random.default_rng(0),
        torch.get_rng_state(),
    ],
    "a defaultdict": lambda: collections.defaultdict(list, {"loss": [1.0, 2.0]}),
    "paths": lambda: [pathlib.PosixPath("/a/b"), pathlib.PurePosixPath("c")],
    "containers": lambda: [
        {1, 2},
        frozenset("ab"),
        collections.deque([1]),
        collections.Counter("aab"),
        bytearray(b"x"),
        slice(1, 2),
    ],
    "values": lambda: [1j, datetime.datetime(2022, 1, 1), decimal.Decimal("1.5"), re.compile("a")],
    "a member of an enumeration": lambda: Phase.TRAIN,
    "objects": lambda: [Settings(), Slotted()],
    "functions": lambda: [np.mean, operator.itemgetter(1), functools.partial(max, 1), Settings],
    "an optimizer": optimizer,
    "its state": lambda: optimizer().state_dict(),
    "a network": lambda: torch.nn.Linear(2, 2),
    "a parameter with attributes": lambda: with_attribute(),
}


def with_attribute():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.shard = 3
    return parameter


@pytest.mark.parametrize("company", COMPANY)
@pytest.mark.parametrize(
    "options",
    [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}],
    ids=["zip", "legacy", "protocol 4"],
)
def test_weights_are_read_in_any_harmless_company(company, options, tmp_path):
    content = {"epoch": 9, "first": COMPANY[company](), "model": grounding_state()}
    torch.save({**content, "last": COMPANY[company]()}, tmp_path / "c.th", **options)
    assert is_same(load(tmp_path / "c.th"), grounding_state())


def test_the_authors_files_with_a_configuration_of_ruamel_are_read(
    tmp_path, commented_map, monkeypatch
):
    content = {"model": grounding_state(), "optimizer": {}, "config": commented_map, "epoch": 9}
    torch.save(content, tmp_path / "c.th")
    for name in ("ruamel.yaml.comments", "ruamel.yaml", "ruamel"):
        monkeypatch.delitem(sys.modules, name)
    assert is_same(load(tmp_path / "c.th"), grounding_state())


def test_parameters_and_their_attributes_become_plain_tensors(tmp_path):
    state = {name: torch.nn.Parameter(tensor) for name, tensor in grounding_state().items()}
    state["bbox_head.3.bias"].shard = 1
    torch.save({"model": collections.OrderedDict(state)}, tmp_path / "c.th")
    assert is_same(load(tmp_path / "c.th"), grounding_state())


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = [
    (os.system, "touch pwned"),
    (subprocess.getoutput, "touch pwned"),
    (eval, "open('pwned', 'w')"),
    (exec, "open('pwned', 'w')"),
    (open, "pwned", "w"),
    (__import__, "antigravity"),
]


@pytest.mark.parametrize("call", HOSTILE, ids=lambda call: call[0].__name__)
def test_a_file_that_names_what_only_serves_to_run_something_is_refused(
    call, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": grounding_state(), "extra": Call(*call)}, tmp_path / "c.th")
    with pytest.raises(CheckpointError, match=r"c\.th: would run code .*calls .*\..*nothing was"):
        read_checkpoint(tmp_path / "c.th")
    assert not (tmp_path / "pwned").exists()


# Calls that no list of names could hold: only not calling helps.
HIDDEN = [
    lambda: Call(pathlib.Path.touch, pathlib.Path("pwned")),
    lambda: Call(np.savetxt, "pwned", np.ones(2)),
    lambda: Call(torch.save, 1, "pwned"),
    lambda: Call(getattr, pathlib.Path("pwned"), "touch"),
    lambda: Call(functools.partial(np.savetxt, "pwned"), np.ones(2)),
    lambda: Call(map, pathlib.Path.touch, [pathlib.Path("pwned")]),
    lambda: Call(Call, Call(np.savetxt, "pwned", np.ones(2))),
]


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("new_format", [True, False])
def test_what_is_not_needed_is_never_called(hidden, new_format, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = {"model": grounding_state(), "extra": hidden()}
    torch.save(content, "c.th", _use_new_zipfile_serialization=new_format)
    with contextlib.suppress(CheckpointError):  # where the pickle calls an object that is not there
        assert is_same(load(tmp_path / "c.th"), grounding_state())
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "opcodes",
    [
        b"(S'touch pwned'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch pwned'\no.",  # OBJ
        b"(S'pwned'\nS'w'\nipathlib\nPath\n.",
        b"cpathlib\nPath.touch\n(cpathlib\nPath\n(S'pwned'\ntRtR.",
        b"ctorch._utils\n_rebuild_tensor_v2\n}S'__defaults__'\n(tsb.",  # BUILD on a function
        b"ccollections\nOrderedDict\n(N}S'fromkeys'\nNstb.",
    ],
)
def test_no_opcode_calls_or_changes_what_a_pickle_names(opcodes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    defaults = torch._utils._rebuild_tensor_v2.__defaults__
    magic = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    head = b"".join(pickle.dumps(value, 2) for value in magic)
    (tmp_path / "c.th").write_bytes(head + opcodes + pickle.dumps([], 2))
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "c.th")
    assert not (tmp_path / "pwned").exists()
    assert torch._utils._rebuild_tensor_v2.__defaults__ == defaults
    assert collections.OrderedDict.fromkeys is not None


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bbox_head = torch.nn.Linear(2, 2)


@pytest.mark.parametrize("wrap", [lambda network: network, lambda network: {"model": network}])
def test_weights_inside_an_object_are_refused_with_the_remedy(wrap, tmp_path):
    torch.save(wrap(Network()), tmp_path / "c.th")
    with pytest.raises(CheckpointError, match=r"class .*Network.*run; save its state_dict\(\)"):
        read_checkpoint(tmp_path / "c.th")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_program_of_torchscript_is_refused_with_the_remedy(tmp_path):
    traced = torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2))
    torch.jit.save(traced, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match=r"program of TorchScript.*state_dict\(\)"):
        read_checkpoint(tmp_path / "c.pt")


def test_an_archive_that_was_compressed_again_is_read_too(tmp_path):
    torch.save({"model": grounding_state()}, tmp_path / "c.th")
    with (
        zipfile.ZipFile(tmp_path / "c.th") as stored,
        zipfile.ZipFile(tmp_path / "d.th", "w", zipfile.ZIP_DEFLATED) as deflated,
    ):
        for name in stored.namelist():
            deflated.writestr(name, stored.read(name))
    assert is_same(load(tmp_path / "d.th"), grounding_state())


def renamed(change):
    return {change(name): tensor for name, tensor in grounding_state().items()}


@pytest.mark.parametrize("key", ["model", "state_dict", "model_state_dict", None])
@pytest.mark.parametrize(
    "change",
    [
        lambda name: name,
        lambda name: f"module.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: f"module._orig_mod.{name}",
        lambda name: f"_orig_mod.module.{name}",
        lambda name: name.replace("vision_encoder.", "vision_encoder._orig_mod."),
    ],
)
def test_wrappers_and_prefixes_are_removed(key, change, tmp_path):
    state = renamed(change)
    torch.save({key: state, "epoch": 3} if key else state, tmp_path / "c.th")
    assert is_same(load(tmp_path / "c.th"), grounding_state())


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


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int64, torch.bool])
def test_weights_as_whole_numbers_are_refused(dtype, tmp_path):
    name = "text_encoder.encoder.layer.0.intermediate.dense.weight"
    state = grounding_state() | {name: grounding_state()[name].to(dtype)}
    with pytest.raises(CheckpointError, match=f"weights as {str(dtype)[6:]} .*scales of quantised"):
        load(write_checkpoint(tmp_path / "c.th", state))


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
