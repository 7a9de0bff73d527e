"""Annotation files with arbitrary content: each is read, or refused with a message for a user.

What is certainly invalid (null, NaN, an object or a list in place of a value) is refused, or the
file reads as if it were untouched.
"""

import gzip
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.registry import find_task
from harness.task import load_samples
from tests.support.arbitrary import (
    OTHER_KINDS,
    SETTINGS,
    changed,
    damaged,
    paths,
    put,
    read_or_refused,
    seeds,
    sound_folder,
    with_change,
)
from tests.support.official_files import FILES, FLAT_INSTEAD

ALIEN = [None, {}, {"": None}, [[]], [None], math.nan, math.inf, -(10**400)]
BEYOND = ["../../../etc/passwd", "/etc/passwd", "a/../../b.jpg", "..", "\0", "c:\\secret"]


@pytest.fixture
def folder(tmp_path):
    return sound_folder(tmp_path)


def load(folder, file, content):
    """The samples of a task when one of its files holds `content` (bytes)."""
    put(folder.root, file.path, content)
    if file.path in FLAT_INSTEAD:
        (folder.root / FLAT_INSTEAD[file.path]).unlink(missing_ok=True)
    return load_samples(find_task(file.task), folder, file.split)


@pytest.mark.parametrize("name", FILES)
def test_sound_files_are_read(folder, name):
    assert load(folder, FILES[name], FILES[name].written(FILES[name].content))


@pytest.mark.parametrize("name", FILES)
@SETTINGS
@given(data=st.data())
def test_annotations_with_anything_anywhere_are_read_or_refused(folder, name, data):
    file = FILES[name]
    read_or_refused(load, folder, file, file.written(data.draw(changed(file.content))))


@pytest.mark.parametrize("name", FILES)
def test_nothing_certainly_bad_comes_through(folder, name):
    file = FILES[name]
    sound = load(folder, file, file.written(file.content))
    for path in paths(file.content):
        for value in [*ALIEN, *BEYOND]:
            if value in BEYOND and not (
                path and path[-1] in ("image", "filename", "file_name", "identifier")
            ):
                continue  # a text like any other
            if path and path[-1] in ("answer_confidence", "answer_id"):
                continue  # the official scorer compares whole answers, whatever else they hold
            samples = read_or_refused(
                load, folder, file, file.written(with_change(file.content, path, value))
            )
            assert samples is None or samples == sound or len(samples) < len(sound), (path, value)


@pytest.mark.parametrize("name", FILES)
def test_annotations_in_another_kind_of_file_are_read_alike_or_refused(folder, name):
    file = FILES[name]
    sound = file.written(file.content)
    expected = load(folder, file, sound)
    for other in OTHER_KINDS:
        read_or_refused(load, folder, file, other(sound))
    for same in (gzip.compress, lambda sound: sound + b"\n\n"):
        assert load(folder, file, same(sound)) == expected


@pytest.mark.parametrize("name", FILES)
def test_annotations_with_damaged_bytes_are_read_or_refused(folder, name):
    file = FILES[name]
    for seed in seeds():
        read_or_refused(load, folder, file, damaged(file.written(file.content), seed))
