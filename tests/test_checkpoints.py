"""checkpoints.yaml: what it says is true of the files that are here, and complete for those that are not."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.checkpoints import PAPER, SHAPES, entries, find_entry, find_weights, read_entries
from harness.errors import DataError, UsageError
from harness.formats.folder import sha256_of
from harness.models.xvlm.checkpoint import HEADS, read_checkpoint
from harness.running.pinned import verified_sha256
from harness.tables.paper import read_paper

WEIGHTS = Path(__file__).parent.parent / "harness" / "shapes" / "weights"


def test_the_embedded_weights_are_the_ones_it_names():
    for task, release in entries()[SHAPES].files.items():
        checkpoint = read_checkpoint(WEIGHTS / release.path)
        assert release.sha256 == sha256_of(WEIGHTS / release.path), task
        assert release.resolution == checkpoint.architecture.vision.resolution
        assert release.head == checkpoint.kind
    assert {release.path for release in entries()[SHAPES].files.values()} == {
        path.name for path in WEIGHTS.glob("*.safetensors")
    }


def test_every_result_of_the_paper_has_a_released_file():
    assert {row.measured_by.task for row in read_paper().rows} == entries()[PAPER].files.keys()
    assert read_paper().checkpoint == PAPER


def test_a_released_file_says_where_to_get_it_and_every_published_number_its_source():
    for entry in entries().values():
        assert entry.licence
        for release in entry.files.values():
            assert release.head in HEADS
            assert entry.embedded or release.drive
        assert all(number.source for number in entry.published)


@pytest.mark.parametrize("name", ["x-vlm-base-16m", "X_VLM_Base_16M", "XVLM base 16m"])
def test_a_name_is_found_whatever_the_case_and_the_dashes(name):
    assert find_entry(name).name == PAPER


def test_a_task_that_a_model_was_not_released_for_is_refused():
    with pytest.raises(UsageError, match="x-vlm-base-4m has no checkpoint for refcoco"):
        find_weights("x-vlm-base-4m", task="refcoco+", data=None)


def test_changed_embedded_weights_are_refused(tmp_path, monkeypatch):
    weights = find_weights(SHAPES, task="refcoco+", data=None)
    assert verified_sha256(weights) == weights.release.sha256
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(DataError, match=r"according to checkpoints\.yaml"):
        verified_sha256(replace(weights, path=tmp_path / "other"))


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "a: 1",
        "a: {title: b}",
        "a: {files: []}",
        "a: {files: {t: {nonsense: 1}}}",
        "a: [",
        "\x00",
        "",
    ],
)
def test_what_is_no_list_of_checkpoints_is_refused(tmp_path, content):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(DataError, match=r"c\.yaml"):
        read_entries(tmp_path / "c.yaml")
