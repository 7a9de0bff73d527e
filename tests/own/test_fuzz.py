"""Annotations of own data with arbitrary content: read, or refused by a readable error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.formats.own.folder import OwnFolder
from harness.registry import find_task
from harness.task import load_samples
from tests.support.arbitrary import OTHER_KINDS, SETTINGS, changed, read_or_refused

REGION = {"id": "a", "image": "1.jpg", "expression": "x y", "box": [1, 2, 3, 4], "width": 9}
LINES = {
    "grounding": [REGION | {"height": 9}, REGION | {"id": 2, "height": 9}],
    "caption": [{"image": "1.jpg", "captions": ["x y"]}, {"image": "2.jpg", "captions": ["z"]}],
    "retrieval": [{"image": "1.jpg", "caption": "x y"}, {"image": "1.jpg", "caption": "z"}],
    "vqa": [{"image": "1.jpg", "question": "x y", "answers": [a]} for a in ("a", "b")],
    "nlvr2": [{"images": ["1.jpg", "2.jpg"], "statement": "x y", "label": True, "group": 1}] * 2,
}
COCO = {
    "images": [{"id": 1, "file_name": "1.jpg", "width": 9, "height": 9}],
    "categories": [{"id": 1, "name": "x"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
}


def load(folder, kind, content, name="own.jsonl"):
    (folder / name).write_bytes(content)
    return load_samples(find_task(f"own-{kind}"), OwnFolder(folder, "own", folder / name), "own")


def as_lines(rows):
    return "\n".join(map(json.dumps, rows)).encode()


@pytest.mark.parametrize("kind", LINES)
@SETTINGS
@given(data=st.data())
def test_lines_with_any_value_are_read_or_refused(tmp_path, kind, data):
    assert load(tmp_path, kind, as_lines(LINES[kind]))
    content = json.dumps(data.draw(changed(LINES[kind]))).encode()
    samples = read_or_refused(load, tmp_path, kind, content, "own.json")
    for sample in samples or ():
        assert all(text.strip() for text in find_task(f"own-{kind}").texts(sample))


@SETTINGS
@given(data=st.data())
def test_coco_with_any_value_is_read_or_refused(tmp_path, data):
    assert load(tmp_path, "grounding", json.dumps(COCO).encode(), "own.json")
    content = json.dumps(data.draw(changed(COCO))).encode()
    read_or_refused(load, tmp_path, "grounding", content, "own.json")


@pytest.mark.parametrize("name", ["own.jsonl", "own.json", "own.csv", "own.tsv"])
@SETTINGS
@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_bytes_are_read_or_refused(tmp_path, name, content):
    read_or_refused(load, tmp_path, "grounding", content, name)


@pytest.mark.parametrize("change", OTHER_KINDS)
@pytest.mark.parametrize("name", ["own.jsonl", "own.json"])
def test_another_kind_of_file_is_read_or_refused(tmp_path, name, change):
    read_or_refused(load, tmp_path, "grounding", change(as_lines(LINES["grounding"])), name)
