"""checkpoints.yaml: true of the weights shipped here, complete for those to be downloaded."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.checkpoints import (
    PAPER,
    SHAPES,
    entries,
    find_entry,
    find_weights,
    read_entries,
    release_path,
)
from harness.cli.main import main
from harness.errors import DataError, MissingError, UsageError
from harness.files.paths import shipped_path
from harness.formats.folder import sha256_of
from harness.models.xvlm.checkpoint import HEADS, read_checkpoint
from harness.registry import find_task, official_counts, task_names
from harness.running.pinned import verified_sha256
from harness.tables.paper import read_paper

WEIGHTS = Path(__file__).parents[2] / "harness" / "shapes" / "weights"
SMALL = "x-vlm-base-4m"
ARCHIVE = "4m-all-ft-ckpts.tar from Google Drive, id 1laNJHBnVGF7onbEYh1vO-b2P5TxdqH-k"


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
    rows = read_paper(official_counts()).rows
    assert {row.measured_by.task for row in rows} == entries()[PAPER].files.keys() - {
        "refcoco+-weak"
    }
    assert read_paper(official_counts()).checkpoint == PAPER


def test_a_released_file_says_where_to_get_it_and_every_published_number_its_source():
    shipped = read_entries(shipped_path("checkpoints.yaml"))
    assert SHAPES in shipped and entries().keys() >= shipped.keys()
    for entry in shipped.values():
        assert entry.licence == "BSD-3-Clause"
        for release in entry.files.values():
            assert release.head in HEADS
            assert entry.embedded or release.drive or release.url
        assert all(number.source for number in entry.published)


@pytest.mark.parametrize("name", ["x-vlm-base-16m", "X_VLM_Base_16M", "XVLM base 16m"])
def test_a_name_is_found_whatever_the_case_and_the_dashes(name):
    assert find_entry(name).name == PAPER


def test_a_task_that_a_model_was_not_released_for_is_refused():
    with pytest.raises(UsageError, match="x-vlm-base-4m has no checkpoint for chess; it has che"):
        find_weights(SMALL, task="chess", data=None)


def test_changed_embedded_weights_are_refused(tmp_path, monkeypatch):
    weights = find_weights(SHAPES, task="refcoco+", data=None)
    assert verified_sha256(weights) == weights.release.sha256
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(DataError, match=r"according to checkpoints\.yaml"):
        verified_sha256(replace(weights, path=tmp_path / "other"))


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ("vqav2", "vqa/model_state_epoch_9.th"),
        ("coco-caption", "coco_caption/coco_capt_cider_step_41000.th"),
        ("nlvr2", "nlvr_ft/checkpoint_best.pth"),
        ("nlvr2", "nlvr/nlvr_ft/checkpoint_best.pth"),
        ("coco-retrieval", "itr_coco/checkpoint_9.pth"),
        ("coco-retrieval", "itr_coco/checkpoint_best.pth"),
        ("flickr30k-retrieval", "itr_flickr/checkpoint_best.pth"),
        ("refcoco+", "refcoco_bbox/checkpoint_best.pth"),
        ("refcoco+-weak", "refcoco/checkpoint_best.pth"),
    ],
)
@pytest.mark.parametrize("folder", ["checkpoints/x-vlm-base-4m", "checkpoints"])
def test_a_file_of_the_4m_archive_is_found_where_it_was_unpacked(tmp_path, folder, task, path):
    file = tmp_path / folder / "4m_base_finetune" / path
    file.parent.mkdir(parents=True)
    file.touch()
    entry = entries()[SMALL]
    assert release_path(entry, entry.files[task], tmp_path) == file


def test_the_first_of_several_candidate_paths_counts(tmp_path):
    entry = entries()[SMALL]
    release = entry.files["nlvr2"]
    files = [tmp_path / "checkpoints" / SMALL / name for name in release.candidates]
    assert len(files) == 3
    for file in reversed(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        assert release_path(entry, release, tmp_path) == file


def test_no_file_of_the_16m_model_is_taken_for_one_of_the_4m_model(tmp_path):
    for release in entries()[PAPER].files.values():
        file = tmp_path / "checkpoints" / release.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    entry = entries()[SMALL]
    for release in entry.files.values():
        with pytest.raises(MissingError):
            release_path(entry, release, tmp_path)


def test_all_tasks_of_the_4m_model_name_their_missing_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-hub"))
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    own = [name for name in task_names() if not find_task(name).weights_of]
    assert entries()[SMALL].files.keys() == set(own)
    every = ",".join(own)
    command = ["run", "--task", every, "--checkpoint", SMALL, "--data", "data", "--out", "out"]
    assert main(command) == 3
    shown = capsys.readouterr().err
    home = f"data/checkpoints/{SMALL}"
    for task, release in entries()[SMALL].files.items():
        line = next(line for line in shown.splitlines() if f"{home}/{release.path}" in line)
        source = f"get {ARCHIVE} and unpack it in {home} " if task != "ovad" else "id 1B3gzyzuDN1D"
        assert source in line and "licence BSD-3-Clause" in line, task
    assert "nlvr_ft/checkpoint_best.pth (or 4m_base_finetune/nlvr_ft/checkpoint_best.pth" in shown
