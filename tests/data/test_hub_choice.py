"""Which data come from the hub: the words that ask for it, and the copies that may be used."""

import json

import pytest

from harness.callbacks import no_progress
from harness.cli.main import main
from harness.data.hub.copies import is_hub
from harness.data.hub.materialise import hub_data, refuse_unofficial
from harness.data.hub.rows import Source
from harness.errors import DataError, MissingError
from harness.registry import find_task
from tasks import TASKS
from tests.support.hub_rows import own_cache_of_datasets  # noqa: F401
from tests.support.models_on_disk import write_checkpoint


def test_the_doctor_tells_which_tasks_have_no_copy(capsys):
    main(["doctor", "--data", "hf", "--format", "json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert "a copy on the hub" in checks["ovad"]["found"]
    assert "no copy on the hub is known" in checks["ovad"]["remedies"]
    assert "a copy on the hub" not in checks["refcoco+"]["found"]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("nlvr2", "the copies on the hub hold only the balanced and unbalanced subsets"),
        ("ovad", "no copy on the hub is known"),
    ],
)
def test_a_task_without_a_usable_copy_is_refused_with_the_reason(task, reason):
    with pytest.raises(MissingError, match=f"{task}: cannot come from the hub: {reason}"):
        hub_data("hf", {task: ["test"], "refcoco+": ["val"]}, progress=no_progress)


def test_the_copies_hold_every_split_of_their_tasks():
    copies = {name: find_task(name).dataset.hub for name in TASKS}
    assert {name for name, copy in copies.items() if copy is None} == {
        "nlvr2",
        "refcoco+-weak",
        "ovad",
        "refcoco",
        "refcocog",
        "vlue-retrieval",
        "vlue-vqa",
        "vlue-nlvr2",
        "vlue-grounding",
        "vlue-grounding-weak",
    }
    for name, copy in copies.items():
        if copy is not None:
            splits = [split for part in copy.parts for split in part.splits]
            assert sorted(splits) == sorted(find_task(name).splits)


@pytest.mark.parametrize(
    ("task", "counts", "expected"),
    [
        (
            "flickr30k-retrieval",
            {"test": {"samples": 31_014, "captions": 155_070}},
            "test: 31,014 samples, officially 1,000",
        ),
        (
            "refcoco+",
            {"val": {"samples": 3_805, "references": 3_805}},
            "val: 3,805 samples, officially 10,758",
        ),
        (
            "vqav2",
            {"test-dev": {"samples": 107_394, "images": 36_807}},
            "test-dev: 107,394 samples, officially 447,793",
        ),
        ("coco-caption", {}, "it is empty"),
    ],
)
def test_a_pinned_copy_that_does_not_hold_the_official_split_is_refused(task, counts, expected):
    with pytest.raises(DataError, match=expected):
        refuse_unofficial(Source("a/b", "c"), find_task(task), counts)


def test_a_copy_that_holds_the_official_split_is_taken():
    counts = {"test": {"samples": 1_000, "captions": 5_000}}
    refuse_unofficial(Source("a/b", "c"), find_task("flickr30k-retrieval"), counts)


@pytest.mark.parametrize(
    ("words", "hub"),
    [("hf", True), ("hf:a/b", True), ("./hf", False), ("hfdata", False), ("/data/hf", False)],
)
def test_a_folder_is_told_from_the_hub_by_its_words(words, hub):
    assert is_hub(words) is hub


def test_a_folder_that_is_no_copy_is_an_error_in_words(tmp_path, capsys):
    weights = write_checkpoint(tmp_path / "tiny.th")
    assert (
        main(
            ["run", "--task", "refcoco+", "--data", f"hf:{tmp_path}", "--checkpoint", str(weights)]
        )
        == 3
    )
    assert "cannot be read as a copy of a dataset" in capsys.readouterr().err
