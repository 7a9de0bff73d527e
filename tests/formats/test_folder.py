"""The user's data folder: candidate paths, substitutes, and names that leave the folder."""

from pathlib import Path

import pytest

from harness.errors import DataError, MissingError
from harness.formats.folder import (
    MARKER,
    DataFolder,
    Needed,
    open_folder,
    relative_path_within,
    sha256_of,
)

LIST = Needed(("a/list.json", "list.json"), "the list", "https://example.org")
ANSWERS = Needed(
    ("answers.json",), "the answers", "s", substitutes=("flat.json",), required_with=("list.json",)
)


@pytest.fixture
def data(tmp_path):
    return DataFolder(tmp_path, "files")


def touch(data, *names):
    for name in names:
        (data.root / name).parent.mkdir(exist_ok=True)
        (data.root / name).touch()


def test_the_first_candidate_that_exists_counts(data):
    assert data.find(LIST) is None
    touch(data, "list.json")
    assert data.path(LIST) == data.expected_path(LIST) == data.root / "list.json"
    touch(data, "a/list.json")
    assert data.path(LIST) == data.expected_path(LIST) == data.root / "a" / "list.json"


def test_a_missing_file_is_expected_at_its_recommended_path_and_says_where_to_get_it(data):
    assert data.expected_path(LIST) == data.root / "a" / "list.json"
    with pytest.raises(MissingError) as caught:
        data.path(LIST)
    assert str(caught.value) == (
        f"{data.root}: missing a/list.json (or list.json): the list; "
        "get it from https://example.org"
    )


def test_a_substitute_makes_a_file_optional_unless_the_file_it_belongs_to_exists(data):
    optional = Needed(("more.json",), "more", "s", optional=True)
    assert data.missing([LIST, ANSWERS, optional, LIST]) == [LIST, ANSWERS]
    touch(data, "flat.json")
    assert data.missing([LIST, ANSWERS]) == [LIST]
    touch(data, "list.json")
    assert data.missing([LIST, ANSWERS]) == [ANSWERS]


def test_the_fingerprint_has_every_existing_file_once_and_no_folder(data):
    touch(data, "list.json", "images/1.jpg")
    images = Needed(("images",), "the images", "s", folder=True)
    digest = sha256_of(data.root / "list.json")
    assert data.fingerprint([LIST, LIST, ANSWERS, images]) == {"list.json": digest}


def test_a_folder_is_named_by_its_content(tmp_path):
    assert open_folder(tmp_path).name == "files"
    (tmp_path / ".hub").mkdir()
    assert open_folder(tmp_path).name == "hub"
    (tmp_path / MARKER).touch()
    assert open_folder(tmp_path).name == "shapes"
    with pytest.raises(MissingError, match="no such data folder"):
        open_folder(tmp_path / "absent")


@pytest.mark.parametrize(
    "name", ["a.jpg", "val2014/a.jpg", "a..jpg", "./a.jpg", "a/.../b", "é.png"]
)
def test_a_relative_name_is_kept_as_it_is(name):
    assert relative_path_within(name, where="item 0") == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "but no file has this name"),
        ("a\0", "but no file has this name"),
        ("a\\b", "whose folders are separated by a backslash; separate them by /"),
        ("C:\\a", "whose folders are separated by a backslash; separate them by /"),
    ],
)
def test_a_name_that_no_file_here_can_have_is_refused(name, problem):
    with pytest.raises(DataError) as caught:
        relative_path_within(name, where="item 0", folder=Path("images"))
    assert str(caught.value) == f"item 0: names the file {name!r}, {problem}"


@pytest.mark.parametrize("name", ["/a", "..", "../a", "a/../b", "a/..", "../a\\b", "//a"])
def test_a_name_that_leaves_its_folder_is_refused(name):
    with pytest.raises(DataError) as caught:
        relative_path_within(name, where="item 0", folder=Path("images"))
    assert str(caught.value) == f"item 0: names the file {name!r}, which lies outside of images"
