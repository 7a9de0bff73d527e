"""A key that an object has twice is refused, by every reader of JSON and YAML."""

import json

import msgspec
import pytest

from harness.drift.lineage import FILE, read_lineage
from harness.errors import DataError
from harness.files import parsing
from harness.files.parsing import decode_json, decode_json_text, decode_yaml, read_json, read_yaml
from harness.formats.nlvr2 import read_lines
from harness.formats.submissions import read_answers
from harness.formats.vqa import read_questions
from harness.records.predictions import open_predictions
from harness.records.record import read_record
from harness.records.stored_predictions import read_predictions

HEAD = '{"format":"xvlm-eval predictions 1","identity":{},"software":{},"inputs":{}}\n'
EXAMPLE = '{"identifier": "dev-1-0-0", "sentence": "s", "label": "True", "label": "False"}'
QUESTIONS = '{"questions": [{"question_id": 1, "image_id": 2, "image_id": 3, "question": "q"}]}'


class Entry(msgspec.Struct):
    size: int = 0


READERS = {
    "an object": (read_json, '{"a": 1, "a": 1}', ": has the key 'a' twice; keep one of them"),
    "an escaped key": (read_json, r'{"a": 1, "\u0061": 1}', ": has the key 'a' twice"),
    "one far inside": (
        lambda path: decode_json(path, dict[str, Entry]),
        '{"x": {"size": 1, "more": [{"b": 1}, {"b": 1, "c": 0, "b": 2}]}}',
        ": x.more[1] has the key 'b' twice",
    ),
    "an item": (
        lambda path: decode_json(path, list[Entry]),
        '[{"size": 1}, {"size": 1, "size": 2}]',
        ", item 1: has the key 'size' twice",
    ),
    "a line": (
        lambda path: decode_json_text(path.read_text(), Entry, where=f"{path}, line 7"),
        '{"size": 1, "size": 2}',
        ", line 7: has the key 'size' twice",
    ),
    "questions": (
        lambda path: read_questions(path, None),
        QUESTIONS,
        ": questions[0] has the key 'image_id' twice",
    ),
    "statements": (
        lambda path: read_lines(path, folder="dev"),
        EXAMPLE,
        ", line 1: has the key 'label' twice",
    ),
    "results": (
        read_answers,
        '[{"question_id": 1, "answer": "a", "answer": "b"}]',
        ", item 0: has the key 'answer' twice",
    ),
    "a record": (read_record, '{"schema": 3, "n": 5, "n": 6}', ": has the key 'n' twice"),
    "predictions": (
        read_predictions,
        HEAD + '{"id":1,"prediction":"a"}\n{"id":2,"prediction":"a","prediction":"b"}\n',
        ", line 3: has the key 'prediction' twice",
    ),
    "YAML": (
        lambda path: decode_yaml(path, dict[str, Entry]),
        "x:\n  size: 1\ny:\n  size: 2\n  size: 3\n",
        ": the mapping that begins in line 4 has the key 'size' twice",
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_a_key_that_an_object_has_twice_is_refused_by_file_and_object(tmp_path, name):
    read, content, message = READERS[name]
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_predictions_are_not_continued_either(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text(HEAD + '{"id":1,"prediction":"a","id":2}\n')
    with (
        pytest.raises(DataError, match=r"line 2: has the key 'id' twice"),
        open_predictions(path, {}, software={}),
    ):
        pass


def test_a_prediction_may_hold_the_names_of_keys(tmp_path):
    path = tmp_path / "p.jsonl"
    words = ["id", "prediction", "inputs", '"id": "id"']
    lines = [json.dumps({"id": n, "prediction": {w: w}}) for n, w in enumerate(words)]
    path.write_text(HEAD + "\n".join(lines) + "\n")
    assert read_predictions(path).predictions[3] == {'"id": "id"': '"id": "id"'}


def test_a_lineage_names_the_line(tmp_path):
    (tmp_path / FILE).write_text('{"date": "a", "date": "b"}\n')
    with pytest.raises(DataError, match=r"is not a lineage of a baseline \(line 1: has no "):
        read_lineage(tmp_path)


def test_merged_mappings_of_yaml_replace_keys(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text("a: &a {size: 1}\nb: {<<: *a, size: 2}\n")
    assert read_yaml(path) == {"a": {"size": 1}, "b": {"size": 2}}


def test_files_of_more_characters_than_are_searched_keep_the_last_value(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    path.write_text('{"size": 1, "size": 2}')
    monkeypatch.setattr(parsing, "MAX_SEARCHED", 21)
    assert decode_json(path, Entry).size == 2
    monkeypatch.setattr(parsing, "MAX_SEARCHED", 22)
    with pytest.raises(DataError, match="twice"):
        decode_json(path, Entry)
