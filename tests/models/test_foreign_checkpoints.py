"""Weight files as others save them, beside what has no part in the weights."""

import argparse
import collections
import datetime
import decimal
import enum
import functools
import operator
import pathlib
import random
import re
import sys
import types
import zipfile

import numpy as np
import pytest
import torch

from tests.support.models_on_disk import grounding_state, is_same, load_grounding


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
    assert is_same(load_grounding(tmp_path / "c.th"), grounding_state())


def test_the_authors_files_with_a_configuration_of_ruamel_are_read(
    tmp_path, commented_map, monkeypatch
):
    content = {"model": grounding_state(), "optimizer": {}, "config": commented_map, "epoch": 9}
    torch.save(content, tmp_path / "c.th")
    for name in ("ruamel.yaml.comments", "ruamel.yaml", "ruamel"):
        monkeypatch.delitem(sys.modules, name)
    assert is_same(load_grounding(tmp_path / "c.th"), grounding_state())


def test_parameters_and_their_attributes_become_plain_tensors(tmp_path):
    state = {name: torch.nn.Parameter(tensor) for name, tensor in grounding_state().items()}
    state["bbox_head.3.bias"].shard = 1
    torch.save({"model": collections.OrderedDict(state)}, tmp_path / "c.th")
    assert is_same(load_grounding(tmp_path / "c.th"), grounding_state())


def test_an_archive_that_was_compressed_again_is_read_too(tmp_path):
    torch.save({"model": grounding_state()}, tmp_path / "c.th")
    with (
        zipfile.ZipFile(tmp_path / "c.th") as stored,
        zipfile.ZipFile(tmp_path / "d.th", "w", zipfile.ZIP_DEFLATED) as deflated,
    ):
        for name in stored.namelist():
            deflated.writestr(name, stored.read(name))
    assert is_same(load_grounding(tmp_path / "d.th"), grounding_state())
