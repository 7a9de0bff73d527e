"""Prediction files: what a kill leaves, and whose file it is."""

import json

import pytest

from harness.errors import DataError, IdentityError
from harness.predictions import difference, open_predictions, read_predictions

IDENTITY = {"task": "t", "settings": {"dtype": "float32"}}
OTHER = {"task": "t", "settings": {"dtype": "float16"}}


SOFTWARE = {"commit": "abc"}


def opened(path, identity=IDENTITY, **options):
    return open_predictions(path, identity, software=SOFTWARE, **options)


def write(path, *predictions, identity=IDENTITY):
    with opened(path, identity) as file:
        file.append(predictions)


def test_predictions_come_back_as_they_were_appended(tmp_path):
    path = tmp_path / "new" / "p.jsonl"
    write(path, (1, [0.1, 0.2]), ("b", "a cup"))
    assert read_predictions(path) == (IDENTITY, {1: [0.1, 0.2], "b": "a cup"})


def test_a_second_run_goes_on_where_the_first_stopped(tmp_path):
    path = tmp_path / "p.jsonl"
    write(path, (1, "one"))
    with opened(path) as file:
        assert dict(file.done) == {1: "one"}
        file.append([(2, "two")])
    assert read_predictions(path)[1] == {1: "one", 2: "two"}


def test_a_file_torn_at_any_byte_is_mended_to_its_last_whole_line(tmp_path):
    whole = tmp_path / "whole.jsonl"
    write(whole, (1, "one"), (2, "zwö"), (3, "three"))
    content = whole.read_bytes()
    for cut in range(len(content)):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(content[:cut])
        with opened(path) as file:
            missing = [(number, text) for number, text in ((1, "one"), (2, "zwö"), (3, "three")) if number not in file.done]
            file.append(missing)
        assert path.read_bytes() == content, cut


def test_the_file_of_another_run_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "p.jsonl"
    write(path, (1, "one"))
    before = path.read_bytes()
    with (
        pytest.raises(IdentityError, match=r"settings\.dtype: float32 / float16.*--fresh"),
        opened(path, OTHER),
    ):
        pass
    assert path.read_bytes() == before


def test_fresh_replaces_the_file_of_another_run(tmp_path):
    path = tmp_path / "p.jsonl"
    write(path, (1, "one"))
    with opened(path, OTHER, fresh=True) as file:
        file.append([(1, "two")])
    assert read_predictions(path) == (OTHER, {1: "two"})


def test_the_software_is_that_of_the_beginning(tmp_path):
    path = tmp_path / "p.jsonl"
    write(path, (1, "one"))
    with open_predictions(path, IDENTITY, software={"commit": "later"}) as file:
        assert file.software == SOFTWARE


def test_two_runs_cannot_write_the_same_file(tmp_path):
    path = tmp_path / "p.jsonl"
    with (
        opened(path),
        pytest.raises(IdentityError, match="another process"),
        opened(path),
    ):
        pass


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("not json\n", "line 1 is not the head"),
        ("somebody's notes", "is no prediction file"),
        ('{"format":"something else","identity":{},"software":{}}\n', "line 1 is not the head"),
        ("[1, 2]\n", "line 1 is not the head"),
        (None, "line 2 is no prediction"),
    ],
)
def test_a_damaged_file_is_refused_with_the_line(tmp_path, content, complaint):
    path = tmp_path / "p.jsonl"
    head = json.dumps({"format": "xvlm-eval predictions 1", "identity": IDENTITY, "software": {}}) + "\n"
    path.write_text(head + '{"id": 1}\n' if content is None else content)
    before = path.read_text()
    with pytest.raises(DataError, match=complaint), opened(path):
        pass
    assert path.read_text() == before


def test_the_difference_of_two_runs_is_said_by_name():
    assert difference(IDENTITY, {**OTHER, "n": 3}) == "settings.dtype: float32 / float16, n: none / 3"
