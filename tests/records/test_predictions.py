"""Prediction files: what a kill leaves, and whose file it is."""

import json
import math

import pytest

from harness.errors import DataError, HarnessError, IdentityError
from harness.records.identity import describe_difference
from harness.records.predictions import open_predictions

IDENTITY = {"task": "t", "settings": {"dtype": "float32"}}
OTHER = {"task": "t", "settings": {"dtype": "float16"}}


SOFTWARE = {"commit": "abc"}


def opened(path, identity=IDENTITY, **options):
    return open_predictions(path, identity, software=SOFTWARE, **options)


def write(path, *predictions, identity=IDENTITY):
    with opened(path, identity) as file:
        file.append(predictions)


def read(path, identity=IDENTITY):
    with opened(path, identity) as file:
        return dict(file.done)


def test_predictions_come_back_as_they_were_appended(tmp_path):
    path = tmp_path / "new" / "p.jsonl"
    write(path, (1, [0.1, 0.2]), ("b", "a cup"))
    assert read(path) == {1: [0.1, 0.2], "b": "a cup"}


def test_a_second_run_goes_on_where_the_first_stopped(tmp_path):
    path = tmp_path / "p.jsonl"
    write(path, (1, "one"))
    with opened(path) as file:
        assert dict(file.done) == {1: "one"}
        file.append([(2, "two")])
    assert read(path) == {1: "one", 2: "two"}


def test_a_file_torn_at_any_byte_is_mended_to_its_last_whole_line(tmp_path):
    whole = tmp_path / "whole.jsonl"
    write(whole, (1, "one"), (2, "zwö"), (3, "three"))
    content = whole.read_bytes()
    for cut in range(len(content)):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(content[:cut])
        with opened(path) as file:
            missing = [
                (number, text)
                for number, text in ((1, "one"), (2, "zwö"), (3, "three"))
                if number not in file.done
            ]
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
    assert read(path, OTHER) == {1: "two"}


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
        ("somebody's notes", "is not a prediction file"),
        ('{"format":"something else","identity":{},"software":{}}\n', "line 1 is not the head"),
        ("[1, 2]\n", "line 1 is not the head"),
        (None, "line 2 is not a prediction"),
    ],
)
def test_a_damaged_file_is_refused_with_the_line(tmp_path, content, complaint):
    path = tmp_path / "p.jsonl"
    head = (
        json.dumps({"format": "xvlm-eval predictions 1", "identity": IDENTITY, "software": {}})
        + "\n"
    )
    path.write_text(head + '{"id": 1}\n' if content is None else content)
    before = path.read_text()
    with pytest.raises(DataError, match=complaint), opened(path):
        pass
    assert path.read_text() == before


@pytest.mark.parametrize(
    "line",
    ['{"id": 1}', '{"id": 1.5, "prediction": 0}', '{"id": 7, "prediction": 1}', "[]", "nonsense"],
)
def test_a_line_that_is_no_prediction_is_refused_and_left_alone(tmp_path, line):
    path = tmp_path / "p.jsonl"
    write(path, (7, "seven"))
    path.write_text(before := path.read_text() + line + "\n")
    with pytest.raises(DataError, match="line 3 is not a prediction"), opened(path):
        pass
    assert path.read_text() == before


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_prediction_that_is_no_number_is_refused_by_the_name_of_its_sample(tmp_path, number):
    path = tmp_path / "p.jsonl"
    write(path, (1, [0.5]))
    with (
        pytest.raises(HarnessError, match="sample 2 holds a number that is not finite"),
        opened(path) as file,
    ):
        file.append([(2, [number])])
    assert read(path) == {1: [0.5]}


def test_any_text_comes_back(tmp_path):
    odd = "a\u2028b\r\n\x85 \ud800 \U0001f40e"
    write(tmp_path / "p.jsonl", (odd, odd))
    assert read(tmp_path / "p.jsonl") == {odd: odd}


def test_a_file_of_the_same_size_that_is_another_runs_is_left_alone_even_where_it_is_torn(tmp_path):
    path = tmp_path / "p.jsonl"
    write(path, (1, "one"), (2, "two"))
    path.write_bytes(torn := path.read_bytes()[:-3])
    with pytest.raises(IdentityError), opened(path, OTHER):
        pass
    assert path.read_bytes() == torn


def test_the_difference_of_two_runs_is_said_by_name():
    assert (
        describe_difference(IDENTITY, {**OTHER, "n": 3})
        == "settings.dtype: float32 / float16, n: none / 3"
    )
