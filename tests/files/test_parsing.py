"""Typed files: read as their type, or refused with file, item, key, expected and actual value."""

import pickle

import msgspec
import pytest

from harness.errors import DataError
from harness.files.parsing import (
    Finite,
    Int64,
    NonEmptyList,
    convert,
    decode_json,
    decode_json_list,
    decode_json_text,
    decode_yaml,
    read_json,
    read_plain_pickle,
    read_text,
    yaml_line,
)


class Question(msgspec.Struct):
    id: Int64
    box: tuple[Finite, Finite] | None = None
    answer: str | list[str] | None = None


class Questions(msgspec.Struct):
    questions: NonEmptyList[Question]


class Release(msgspec.Struct, forbid_unknown_fields=True):
    path: str


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    files: dict[str, Release]


def refusal(read, *arguments, **more):
    with pytest.raises(DataError) as caught:
        read(*arguments, **more)
    return str(caught.value)


SOUND = '{"questions": [{"id": 1, "box": [1, 2.5], "unknown": {}}, {"id": -9223372036854775808}]}'
BAD = [
    ("[]", ": should be an object, but is []"),
    ("3", ": should be an object, but is 3"),
    ("{}", ": has no 'questions'"),
    ('{"questions": null}', ": questions should be a list, but is null"),
    ('{"questions": []}', ": questions is an empty list"),
    ('{"questions": [true]}', ": questions[0] should be an object, but is true"),
    ('{"questions": [{"id": 1}, {}]}', ": questions[1] has no 'id'"),
    ('{"questions": [{"id": "1"}]}', ": questions[0].id should be a whole number, but is '1'"),
    ('{"questions": [{"id": true}]}', ": questions[0].id should be a whole number, but is true"),
    ('{"questions": [{"id": 1.0}]}', ": questions[0].id should be a whole number, but is 1.0"),
    (
        '{"questions": [{"id": 9223372036854775808}]}',
        ": questions[0].id should be a whole number of 64 bits, but is 9223372036854775808",
    ),
    (
        '{"questions": [{"id": 1, "box": [1]}]}',
        ": questions[0].box should have 2 items, but is [1]",
    ),
    (
        '{"questions": [{"id": 1, "box": [1, false]}]}',
        ": questions[0].box[1] should be a number, but is false",
    ),
    (
        '{"questions": [{"id": 1, "box": [1, NaN]}]}',
        ": questions[0].box[1] should be a finite number, but is NaN",
    ),
    (
        '{"questions": [{"id": 1, "unknown": [-Infinity]}]}',
        ": questions[0].unknown[0] should be a finite number, but is -Infinity",
    ),
    (
        '{"questions": [{"id": 1, "box": [1, 1e400]}]}',
        ": questions[0].box[1] should be a finite number, but is inf",
    ),
    (
        '{"questions": [{"id": 1, "answer": 3}]}',
        ": questions[0].answer should be a string, a list or null, but is 3",
    ),
    (
        '{"questions": [{"id": 1, "answer": "\\ud800"}]}',
        ": questions[0].answer should be Unicode text, but is '\\ud800'",
    ),
    ('{"questions": ', ": is not JSON: Expecting value (column 15)"),
    ('{"questions":\n[{"id": 1]}', ": is not JSON: Expecting ',' delimiter (line 2, column 10)"),
    ("[" * 200_000, ": is not JSON that can be read ('maximum recu...nicode string')"),
    ("", ": is empty; the download or copy broke off: get it again"),
    (" \n", ": is empty; the download or copy broke off: get it again"),
]


def test_a_typed_file_is_read_and_unknown_keys_are_skipped(tmp_path):
    path = tmp_path / "q.json"
    path.write_text(SOUND)
    first, second = decode_json(path, Questions).questions
    assert (first.id, first.box, second.id) == (1, (1.0, 2.5), -(2**63))


@pytest.mark.parametrize(("content", "problem"), BAD)
def test_a_refusal_names_file_item_key_expected_and_actual_value(tmp_path, content, problem):
    path = tmp_path / "q.json"
    path.write_text(content)
    assert refusal(decode_json, path, Questions) == f"{path}{problem}"


def test_long_values_are_shortened(tmp_path):
    (tmp_path / "q.json").write_text(f'{{"questions": [{{"id": "{"x" * 5000}"}}]}}')
    assert len(refusal(decode_json, tmp_path / "q.json", Questions)) < len(str(tmp_path)) + 100


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{}", ": should be a list, but is {}"),
        ("[]", ": is an empty list"),
        ("[3]", ", item 0: should be an object, but is 3"),
        ('[{"id": 1}, {}]', ", item 1: has no 'id'"),
        ('[{"id": 1}, {"id": null}]', ", item 1: id should be a whole number, but is null"),
        ('[{"id": 1, "box": [1, NaN]}]', ", item 0: box[1] should be a finite number, but is NaN"),
    ],
)
def test_an_item_of_a_list_is_named_by_its_number(tmp_path, content, problem):
    path = tmp_path / "q.json"
    path.write_text(content)
    assert refusal(decode_json_list, path, Question) == f"{path}{problem}"


def test_a_line_is_named_as_the_caller_names_it():
    where = "dev.json, line 6"
    assert decode_json_text('{"id": 3}', Question, where=where).id == 3
    assert refusal(decode_json_text, "{", Question, where=where).startswith(
        "dev.json, line 6: is not JSON"
    )
    assert refusal(decode_json_text, "{}", Question, where=where) == "dev.json, line 6: has no 'id'"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", ": should be an object, but is null"),
        ("a-b: 1", ": a-b should be an object, but is 1"),
        (
            "a: {title: x, files: {v: {path: p}, w: {path: 3}}}",
            ": a.files.w.path should be a string, but is 3",
        ),
        (
            "a: {title: x, files: {}}\nb: {title: x, files: {w: {path: p, pth: q}}}",
            ": b.files.w has the unknown key 'pth'",
        ),
        ("1: {title: x, files: {}}", ": has the key 1, which should be a string"),
        ("a: {title: x, files: {}, null: 1}", ": a has the key null, which should be a string"),
    ],
)
def test_the_keys_of_a_mapping_are_named(tmp_path, content, problem):
    path = tmp_path / "entries.yaml"
    path.write_text(content)
    assert refusal(decode_yaml, path, dict[str, Entry]) == f"{path}{problem}"


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (float("nan"), "a finite number, but is nan"),
        (float("inf"), "a finite number, but is inf"),
        (-float("inf"), "a finite number, but is -inf"),
        (-(10**400), "a finite number, but is -100000"),
        (True, "a number, but is true"),
        ("1", "a number, but is '1'"),
    ],
)
def test_what_is_no_finite_number_is_refused_in_parsed_data_too(number, problem):
    shown = refusal(convert, {"id": 1, "box": (0, number)}, Question, where="refs.p")
    assert shown.startswith(f"refs.p: box[1] should be {problem}")


def test_a_key_that_a_file_has_twice_is_still_refused_in_a_sentence(tmp_path):
    (tmp_path / "q.json").write_text('{"questions": [{"id": "a"}], "questions": []}')
    assert "Expected `int`, got `str`" in refusal(decode_json, tmp_path / "q.json", Questions)


@pytest.mark.parametrize("read", [read_json, lambda path: decode_json(path, Questions)])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path, read):
    (tmp_path / "q.json").write_bytes(b"\xef\xbb\xbf" + SOUND.encode())
    assert read(tmp_path / "q.json")


@pytest.mark.parametrize("read", [read_json, read_text, lambda path: decode_json(path, Questions)])
def test_what_is_no_text_file_is_refused(tmp_path, read):
    (tmp_path / "latin-1").write_bytes(b'{"unknown": "caf\xe9"}')
    assert "is not UTF-8 text (byte 16)" in refusal(read, tmp_path / "latin-1")
    assert refusal(read, tmp_path).endswith("is not a file")
    assert refusal(read, tmp_path / "absent").endswith("no such file")


def test_a_pickle_of_plain_types_is_read_and_any_other_is_refused(tmp_path):
    path = tmp_path / "p"
    plain = {"a": [1, 2.5, None, True, ("b",)]}
    path.write_bytes(pickle.dumps(plain))
    assert read_plain_pickle(path) == plain
    path.write_bytes(pickle.dumps(print))
    assert "builtins.print, which could run code" in refusal(read_plain_pickle, path)
    path.write_bytes(pickle.dumps(plain)[:-5])
    assert "is not a readable pickle" in refusal(read_plain_pickle, path)
    path.write_bytes(b"")
    assert "is empty; the download or copy broke off" in refusal(read_plain_pickle, path)


@pytest.mark.parametrize("protocol", range(6))
def test_half_a_surrogate_pair_in_a_pickle_is_refused_by_its_item(tmp_path, protocol):
    circle = [1]
    circle.append(circle)
    (tmp_path / "p").write_bytes(pickle.dumps([circle, ({"sent": "a \ud83d cup"},)], protocol))
    shown = refusal(read_plain_pickle, tmp_path / "p")
    assert "p, item 1: [0].sent should be Unicode text, but is 'a \\ud83d cup'" in shown
    (tmp_path / "p").write_bytes(pickle.dumps([circle, "\\ud83d \U0001f600"], protocol))
    assert read_plain_pickle(tmp_path / "p")[1] == "\\ud83d \U0001f600"


def test_a_pickle_is_searched_in_depth_to_an_end(tmp_path):
    """The paths to a million nested values have half a million million steps."""
    half_a_pair = b"X\x03\x00\x00\x00\xed\xa0\xbd"
    (tmp_path / "p").write_bytes(b"\x80\x02" + half_a_pair + b"\x85" * 1_000_000 + b".")
    assert "p: is nested more than 500 levels deep" in refusal(read_plain_pickle, tmp_path / "p")


def test_a_key_of_nested_mappings_has_a_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("first: &one\n  x: {y: 1,\n      z: 2}\nsecond:\n  <<: *one\n  w: 3\n")
    assert yaml_line(path, ("first", "x", "y")) == 2
    assert yaml_line(path, ("first", "x", "z")) == 3
    assert yaml_line(path, ("second", "w")) == 6
    assert yaml_line(path, ("second", "x", "z")) == 4  # merged: it is not written there
