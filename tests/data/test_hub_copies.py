"""Copies from the hub become folders of the cache once; wrong copies are refused."""

import json
import shutil
from dataclasses import replace

import pytest
from datasets import Dataset, Features, Image

from harness.callbacks import no_progress
from harness.cli.main import main
from harness.data.hub.materialise import hub_data
from harness.errors import DataError, HarnessError
from harness.files.lock import locked
from harness.files.paths import cache_folder
from harness.registry import find_task
from tasks.refcoco_plus import RefCOCOPlus
from tests.support.hub_rows import (
    COLUMNS,
    own_cache_of_datasets,  # noqa: F401
)
from tests.support.models_on_disk import write_checkpoint


def test_a_run_on_a_copy_writes_it_once_and_then_reads_the_folder(
    copies, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "cache"))
    weights = write_checkpoint(tmp_path / "tiny.th")
    run = [
        "run",
        "--task",
        "refcoco+",
        "--split",
        "val",
        "--limit",
        "3",
        "--data",
        f"hf:{copies['refcoco']}",
        "--checkpoint",
        str(weights),
    ]
    assert main([*run, "--out", str(tmp_path / "a")]) == 0
    assert "refcoco val, rows: 40 of 40" in capsys.readouterr().err
    assert main([*run, "--out", str(tmp_path / "b")]) == 0
    assert ", rows: " not in capsys.readouterr().err
    first, second = (
        json.loads(next((tmp_path / name).glob("tiny/*limit-3.json")).read_text()) for name in "ab"
    )
    assert (
        first == second
        and first["data"]["name"] == "hub"
        and set(first["data"]["files"]) == {"refcoco+/refs(unc).p", "refcoco+/instances.json"}
    )


def test_the_remains_of_a_killed_run_are_deleted(copies, tmp_path, monkeypatch):
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path))
    root = hub_data(
        f"hf:{copies['karpathy']}", {"coco-caption": ["test"]}, progress=no_progress
    ).root
    (root / ".hub" / "karpathy-test.json").unlink()
    (root / ".karpathy-test.json.new" / "half").mkdir(parents=True)
    hub_data(f"hf:{copies['karpathy']}", {"coco-caption": ["test"]}, progress=no_progress)
    assert sorted(path.name for path in root.iterdir()) == [".hub", "coco"]


def test_a_copy_that_another_run_is_writing_is_left_to_it(copies, tmp_path, monkeypatch):
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path))
    root = hub_data(
        f"hf:{copies['karpathy']}", {"coco-caption": ["test"]}, progress=no_progress
    ).root
    (root / ".hub" / "karpathy-test.json").unlink()
    with (
        locked(root / ".hub" / "lock", busy=HarnessError("busy")),
        pytest.raises(HarnessError, match="another run is writing this data"),
    ):
        hub_data(f"hf:{copies['karpathy']}", {"coco-caption": ["test"]}, progress=no_progress)


def test_a_copy_on_disk_that_changes_is_written_anew(copies, tmp_path):
    copy = shutil.copytree(copies["karpathy"], tmp_path / "karpathy")
    before = hub_data(f"hf:{copy}", {"coco-caption": ["test"]}, progress=no_progress).root
    path = copy / "data" / "test-00000-of-00001.parquet"
    Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "c")).select(range(5)).to_parquet(path)
    after = hub_data(f"hf:{copy}", {"coco-caption": ["test"]}, progress=no_progress).root
    assert before != after
    assert len(json.loads((after / "coco" / "dataset_coco.json").read_text())["images"]) == 35


def test_converted_pinned_copies_are_used_without_the_network(copies, capsys):
    written = hub_data(
        f"hf:{copies['karpathy']}", {"coco-caption": ["test"]}, progress=no_progress
    ).root
    pinned = cache_folder() / "hf" / "pinned"
    shutil.copytree(written, pinned)
    (note,) = (pinned / ".hub").glob("*.json")
    copy = find_task("coco-caption").dataset.hub
    note.write_text(json.dumps({"repository": copy.repository, "revision": copy.revision}))
    try:
        assert main(["data", "--task", "coco-caption", "--split", "test", "--data", "hf"]) == 3
        shown = capsys.readouterr().out
        assert (
            "30 samples, officially 5,000" in shown
            and "images/coco/val2014: the folder of COCO's val2014 images" in shown
        )
        note.write_text(json.dumps({"repository": copy.repository, "revision": "another"}))
        assert main(["data", "--task", "coco-caption", "--split", "test", "--data", "hf"]) == 3
        assert "HF_HUB_OFFLINE is set" in capsys.readouterr().err
    finally:
        shutil.rmtree(pinned)


@pytest.mark.parametrize("words", ["hf", "hf:someone/some-dataset", "hf:someone/some-dataset@abc"])
def test_without_the_network_one_sentence_says_what_to_do(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    weights = write_checkpoint(tmp_path / "tiny.th")
    assert main(["run", "--task", "refcoco+", "--data", words, "--checkpoint", str(weights)]) == 3
    first, message = capsys.readouterr().err.strip().split("\n", 1)
    assert first == f"data of {words}, evaluated with {weights}"
    assert (
        "is not in the cache yet, and HF_HUB_OFFLINE is set; run once with the network, "
        "or name a folder with --data DIR" in message
    )
    assert "\n" not in message and "Traceback" not in message


def test_missing_weights_are_reported_before_the_hub_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    assert main(["run", "--task", "refcoco+", "--data", "hf"]) == 3
    shown = capsys.readouterr().err
    assert "refcoco_bbox/checkpoint_best.pth" in shown and "HF_HUB_OFFLINE" not in shown


def test_a_pinned_copy_is_compared_with_the_official_splits(copies, monkeypatch):
    dataset = RefCOCOPlus.dataset
    local = replace(dataset.hub, repository=str(copies["refcoco"]), revision=None)
    monkeypatch.setattr(RefCOCOPlus, "dataset", replace(dataset, hub=local))
    with pytest.raises(DataError, match=r"does not hold the official splits of refcoco\+"):
        hub_data("hf", {"refcoco+": ["val"]}, progress=no_progress)
    assert not (cache_folder() / "hf" / "pinned" / "refcoco+").exists()


@pytest.mark.parametrize(
    ("kind", "task", "split", "change", "expected"),
    [
        ("flickr30k", "flickr30k-retrieval", "test", {"drop": "split"}, "has no column split"),
        ("refcoco", "refcoco+", "val", {"file_name": "one.jpg"}, "begin with COCO_train2014_"),
        ("refcoco", "refcoco+", "val", {"answer": None}, "has a malformed row"),
        (
            "refcoco",
            "refcoco+",
            "val",
            {"image": {"bytes": b"<html>", "path": "a.jpg"}},
            "cannot be read",
        ),
        ("refcoco", "refcoco+", "val", {"image": None}, "without the bytes of its image"),
        (
            "flickr30k",
            "flickr30k-retrieval",
            "test",
            {"filename": "../../evil.jpg"},
            "lies outside of",
        ),
        (
            "karpathy",
            "coco-caption",
            "test",
            {"filename": "x.jpg"},
            "has a malformed row",
        ),
    ],
)
def test_a_malformed_copy_is_refused_and_leaves_nothing(
    copies, tmp_path, kind, task, split, change, expected
):
    copy = shutil.copytree(copies[kind], tmp_path / kind)
    for path in (copy / "data").iterdir():
        dataset = Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))
        if "image" in dataset.column_names:
            dataset = dataset.cast_column("image", Image(decode=False))
        if "drop" in change:
            dataset.remove_columns(change["drop"]).to_parquet(path)
            continue
        rows = [
            {**row, **change} if index == 3 else row for index, row in enumerate(dataset.to_list())
        ]
        Dataset.from_list(rows, features=Features(COLUMNS[kind])).to_parquet(path)
    with pytest.raises(DataError, match=expected):
        hub_data(f"hf:{copy}", {task: [split]}, progress=no_progress)
    roots = list((cache_folder() / "hf").glob(f"{kind}-*"))
    assert not [
        path for root in roots for path in root.iterdir() if path.name.startswith(f".{kind}-")
    ]
    assert not list(cache_folder().rglob("evil.jpg"))


def test_an_error_of_the_code_is_not_called_a_malformed_row(copies, tmp_path, monkeypatch):
    def fail(*arguments):
        raise KeyError("a fault of the harness")

    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.data.hub.materialise._write_note", fail)
    with pytest.raises(KeyError, match="a fault of the harness"):
        hub_data(f"hf:{copies['refcoco']}", {"refcoco+": ["val"]}, progress=no_progress)
