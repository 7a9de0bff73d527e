"""Weight files with what may never run: it is neither called nor changed, and refused if named."""

import collections
import contextlib
import functools
import os
import pathlib
import pickle
import subprocess
import zipfile

import numpy as np
import pytest
import torch

from harness.errors import CheckpointError
from harness.models.xvlm.checkpoint import read_checkpoint
from tests.support.models_on_disk import grounding_state, is_same, load_grounding


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
        assert is_same(load_grounding(tmp_path / "c.th"), grounding_state())
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
