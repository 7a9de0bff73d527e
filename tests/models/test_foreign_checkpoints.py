"""Weight files as others save them: with harmless company, or with what may never run."""

import argparse
import collections
import contextlib
import datetime
import decimal
import enum
import functools
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

from harness.errors import CheckpointError
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.networks import grounding_network
from tests.support.models_on_disk import (
    grounding_state,
)


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


DEEP = b"N" + b"\x85" * 1_000_000  # a tuple in a tuple in a tuple ...


@pytest.mark.parametrize(
    "opcodes",
    [
        b"}" + DEEP + b"Ns.",  # SETITEM
        b"}(" + DEEP + b"Nu.",  # SETITEMS
        b"(" + DEEP + b"Nd.",  # DICT
        b"\x8f(" + DEEP + b"\x90.",  # ADDITEMS
        b"(" + DEEP + b"\x91.",  # FROZENSET
        b"ccollections\nOrderedDict\n(((" + DEEP + b"Nttt" + b"R.",
    ],
)
def test_no_key_of_a_dictionary_ends_the_process(opcodes, tmp_path):
    """Python hashes a tuple of tuples by recursion, until its stack overflows."""
    with zipfile.ZipFile(tmp_path / "c.th", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x04" + opcodes)
        archive.writestr("archive/version", "3")
    with pytest.raises(CheckpointError, match="holds"):
        read_checkpoint(tmp_path / "c.th")


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
