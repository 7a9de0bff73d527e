"""Annotation, vocabulary, record and prediction files with anything at all in them: read, or refused as what they are."""

import copy
import json
import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.predictions import open_predictions
from harness.results import read_record
from harness.sources.folder import DataFolder
from tasks.refcoco_plus import RefCOCOPlus
from tests.tasks import refcoco_files
from tests.test_results import RECORD

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 2**63, 1e308, -0.0]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)


def places(value, path=()):
    """Every place in nested lists and objects."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def with_change(content, path, value):
    """A copy of nested content with something else at one place."""
    if not path:
        return value
    content = copy.deepcopy(content)
    item = content
    for key in path[:-1]:
        item = item[key]
    item[path[-1]] = value
    return content


def changed(content):
    return st.builds(with_change, st.just(content), st.sampled_from(list(places(content))), VALUES)


def read_or_refused(read, *arguments):
    """Anything but a HarnessError or a result fails the test; the message of a HarnessError stays readable."""
    try:
        read(*arguments)
    except HarnessError as error:
        assert 0 < len(str(error)) < 2000


@pytest.fixture
def folder(tmp_path):
    return DataFolder(refcoco_files.write(tmp_path), "files")


@SETTINGS
@given(content=changed(refcoco_files.instances()))
def test_instances(folder, content):
    (folder.root / "refcoco+" / "instances.json").write_text(json.dumps(content))
    read_or_refused(RefCOCOPlus().load, folder, "val")


@SETTINGS
@given(content=changed(refcoco_files.refs()))
def test_refs(folder, content):
    (folder.root / "refcoco+" / "refs(unc).p").write_bytes(pickle.dumps(content))
    read_or_refused(RefCOCOPlus().load, folder, "val")


@SETTINGS
@given(content=changed([{"image": "train2014/one.jpg", "text": "red cup", "ref_id": 0}]))
def test_flat_lists(folder, content):
    (folder.root / "refcoco+_val.json").write_text(json.dumps(content))
    read_or_refused(RefCOCOPlus().load, folder, "val")


@settings(SETTINGS, max_examples=50)  # each of them six files
@given(content=st.binary(max_size=200), cut=st.integers(0, 600), flip=st.integers(0, 2**32))
def test_bytes(folder, content, cut, flip):
    """Random bytes, and the sound files cut short or with one byte changed."""
    for name in ("instances.json", "refs(unc).p"):
        path = folder.root / "refcoco+" / name
        sound = path.read_bytes()
        damaged = bytearray(sound)
        damaged[flip % len(sound)] ^= 1 + flip % 255
        for bad in (content, sound[:cut], bytes(damaged)):
            path.write_bytes(bad)
            read_or_refused(RefCOCOPlus().load, folder, "val")
        path.write_bytes(sound)


@SETTINGS
@given(content=changed(json.loads(json.dumps({**RECORD.__dict__, "subset": {"limit": 3, "total": 9}}))))
def test_records(tmp_path, content):
    (tmp_path / "record.json").write_text(json.dumps(content))
    read_or_refused(read_record, tmp_path / "record.json")


@SETTINGS
@given(
    content=changed({"format": "xvlm-eval predictions 1", "identity": {"task": "t"}, "software": {}}),
    entry=changed({"id": 1, "prediction": [1]}),
)
def test_prediction_files(tmp_path, content, entry):
    (tmp_path / "p.jsonl").write_text(f"{json.dumps(content)}\n{json.dumps(entry)}\n")

    def read():
        with open_predictions(tmp_path / "p.jsonl", {"task": "t"}, software={}):
            pass

    read_or_refused(read)
