"""checkpoints.yaml: true of the weights shipped here, complete for those to be downloaded."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.checkpoints import (
    INCLUDE,
    PAPER,
    SHAPES,
    entries,
    find_entry,
    find_weights,
    read_entries,
    release_path,
)
from harness.checkpoints.hub import hub_snapshot
from harness.cli.main import main
from harness.errors import DataError, MissingError, UsageError
from harness.files.paths import shipped_path
from harness.formats.folder import sha256_of
from harness.models.xvlm.checkpoint import HEADS, read_checkpoint
from harness.registry import find_task, official_counts, task_names
from harness.running.pinned import verified_sha256
from harness.tables.paper import read_paper
from harness.tables.published import published_numbers

WEIGHTS = Path(__file__).parent.parent / "harness" / "shapes" / "weights"
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
    for entry in entries().values():
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
    ("content", "problem"),
    [
        ("[]", "should be an object"),
        ("a: 1", "a should be an object, but is 1"),
        ("a: {title: b}", "a has no 'family'"),
        ("a: {files: []}", "a.files should be an object"),
        ("a: {files: {t: {nonsense: 1}}}", "a.files.t has the unknown key 'nonsense'"),
        ("a: [", "cannot be read as YAML"),
        ("\x00", "cannot be read as YAML"),
        ("", "should be an object, but is null"),
    ],
)
def test_what_is_no_list_of_checkpoints_is_refused(tmp_path, content, problem):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(DataError) as caught:
        read_entries(tmp_path / "c.yaml")
    assert str(caught.value).startswith(f"{tmp_path}/c.yaml: {problem}")


def test_an_unknown_head_is_refused_by_its_line_when_the_file_is_read(tmp_path):
    (tmp_path / "c.yaml").write_text(OWN.replace("head: retrieval", "head: retreival"))
    with pytest.raises(DataError) as caught:
        read_entries(tmp_path / "c.yaml")
    assert str(caught.value) == (
        f"{tmp_path}/c.yaml, line 8: mine has weights for ovad with the unknown head 'retreival'; "
        "heads are pretrain, retrieval, bbox, vqa, nlvr, captioning, none"
    )


def test_a_family_of_a_package_may_have_heads_of_its_own(tmp_path):
    text = OWN.replace("head: retrieval", "head: detector").replace("family: albef", "family: owl")
    (tmp_path / "c.yaml").write_text(text)
    entry = read_entries(tmp_path / "c.yaml")["mine"]
    assert (entry.family, entry.files["ovad"].head) == ("owl", "detector")


def test_a_protocol_setting_is_refused_since_only_the_code_sets_the_protocol(tmp_path):
    shipped = shipped_path("checkpoints.yaml").read_text(encoding="utf-8")
    changed = shipped.replace("head: vqa,", "head: vqa, settings: {k_test: 64},", 1)
    (tmp_path / "c.yaml").write_text(changed, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_entries(tmp_path / "c.yaml")
    key = "x-vlm-base-16m.files.vqav2 has the unknown key 'settings'"
    assert str(caught.value) == f"{tmp_path}/c.yaml: {key}"


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


OWN = """
mine:
  title: Mine
  family: albef
  vocabulary: words.txt
  licence: none
  files:
    ovad: {path: w.pth, head: retrieval}
  published:
    - {task: ovad, split: box, metric: map, value: 1.5, source: "our paper, Table 1"}
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file of entries of the user's own, named twice."""
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    monkeypatch.setenv(INCLUDE, f"{path}{os.pathsep}{tmp_path / '..' / tmp_path.name / 'own.yaml'}")
    return path


def test_an_entry_of_ones_own_has_its_files_beside_it(own):
    with pytest.raises(MissingError) as raised:
        find_weights("mine", task="ovad", data=None)
    weights, vocabulary = raised.value.items
    assert weights == (
        f"{own.parent}/w.pth: missing the retrieval checkpoint of Mine; put it there (licence "
        "none), or name a file with --checkpoint PATH"
    )
    assert vocabulary == (
        f"{own.parent}/words.txt: missing the vocabulary of Mine; put it there, or write "
        f"`vocabulary: bert-base-uncased` in {own} for that of BERT"
    )
    for name in ("w.pth", "words.txt", "config.json"):
        (own.parent / name).write_text("{}")
    found = find_weights("mine", task="ovad", data=None)
    files = (found.path, found.vocabulary, found.configuration)
    assert [path.name for path in files] == ["w.pth", "words.txt", "config.json"]
    assert {path.parent for path in files} == {own.parent}


def test_a_number_without_a_protocol_is_the_papers_for_x_vlm_only(own):
    def protocol():
        numbers = published_numbers(read_paper(official_counts()))
        (number,) = (number for number in numbers if number.model == "mine")
        return number.protocol

    assert protocol() == "not stated"
    own.write_text(OWN.replace("albef", "xvlm"))
    assert protocol() == read_paper(official_counts()).official["ovad"].protocols[0]


def test_a_file_of_entries_is_read_again_where_it_changed_or_another_folder_is_current(
    tmp_path, monkeypatch
):
    content = "{title: T, family: xvlm, licence: L, files: {nlvr2: {path: p.th, head: nlvr}}}"
    monkeypatch.setenv(INCLUDE, "mine.yaml")
    for folder, name in (("a", "first"), ("b", "second")):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        Path("mine.yaml").write_text(f"{name}: {content}\n")
        assert find_entry(name) is not None
    assert find_entry("first") is None
    Path("mine.yaml").write_text(f"third: {content}\n")
    os.utime("mine.yaml", ns=(1, 1))
    assert find_entry("third") is not None


def test_a_download_that_fails_without_a_message_is_a_missing_file(monkeypatch):
    def time_out(*arguments, **options):
        raise TimeoutError

    monkeypatch.setattr("huggingface_hub.snapshot_download", time_out)
    with pytest.raises(MissingError, match=r"could not be downloaded \(no reason given\)"):
        hub_snapshot("openai/clip", download=True)


def test_a_cache_that_cannot_be_read_is_not_called_one_that_lacks_the_file(monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied", "snapshots")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(MissingError, match=r"cannot be read from the hub's cache \(.*denied"):
        hub_snapshot("openai/clip", download=False)
