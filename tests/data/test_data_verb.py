"""`xvlm-eval data`: which files are present, missing or wrong, and what to do about them."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from harness.cli.main import main
from harness.formats.folder import MARKER, DataFolder
from harness.registry import find_task, find_tasks
from harness.shapes.benchmark import embedded_data
from tests.support import refcoco_files


@pytest.fixture
def tiny(tmp_path):
    """Two images and five expressions of RefCOCO+: sound, but not the published split."""
    return refcoco_files.write(tmp_path / "data")


@pytest.fixture
def own(tmp_path):
    """The embedded benchmark's files as if they were the user's own."""
    root = tmp_path / "data"
    shutil.copytree(
        embedded_data().root, root, copy_function=os.link, ignore=shutil.ignore_patterns(MARKER)
    )
    return root


def run(capsys, *arguments):
    """Exit code and JSON output."""
    code = main(["data", *map(str, arguments), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def by_path(answer):
    return {file["place"]: file for file in answer["files"]}


def test_the_embedded_benchmark_is_whole_and_compared_with_no_published_number(capsys):
    code, answer = run(capsys, "--verify")
    assert (code, answer["sound"], answer["published"], answer["misfits"]) == (0, True, False, [])
    assert [(split["task"], split["split"]) for split in answer["splits"]] == [
        (task.name, split) for task in find_tasks(["all"]) for split in task.splits
    ]
    counts = next(
        split["counts"]
        for split in answer["splits"]
        if (split["task"], split["split"]) == ("nlvr2", "dev")
    )
    assert counts == {"samples": 160, "images": 160, "pairs": 80, "groups": 40, "true": 80}


def test_the_same_files_in_a_folder_of_the_users_are_compared_with_the_published_ones(capsys, own):
    code, answer = run(capsys, "--data", own)
    assert (code, answer["published"]) == (3, True)
    files = by_path(answer)
    assert (
        files["nlvr2/dev.json"]["state"] == "wrong"
        and "7c44bc7831c0" in files["nlvr2/dev.json"]["found"][0]
    )
    assert (
        files["ovad/ovad2000.json"]["state"] == "wrong"
        and "git-blob" in files["ovad/ovad2000.json"]["found"][0]
    )
    assert "b4f1d8e29ea4" in files["vqa/answer_list.json"]["found"][0]
    found = {f"{split['task']} {split['split']}": split["found"] for split in answer["splits"]}
    assert found["refcoco+ testA"][0] == "702 samples, officially 5,726"
    assert "31 choices, officially 3,128" in found["vqav2 test"]
    assert "20 attributes, officially 117" in found["ovad box"]


def test_a_missing_file_is_reported_with_address_size_and_licence(capsys, tiny):
    shutil.rmtree(tiny / "images")
    (tiny / "refcoco+" / "refs(unc).p").unlink()
    assert main(["data", "--task", "refcoco+", "--data", str(tiny)]) == 3
    shown = capsys.readouterr().out
    assert (
        "refcoco+/refs(unc).p: the references, UNC split; "
        "get it from https://github.com/lichengunc/refer" in shown
    )
    assert (
        "images/coco/train2014: the folder of COCO's train2014 images (13.5 GB); get it from "
        "http://images.cocodataset.org/zips/train2014.zip (train2014.zip, 13.5 GB, "
        "images under Flickr's terms of use, research); `xvlm-eval fetch` does it" in shown
    )
    assert "2 files missing" in shown


def test_annotations_are_counted_where_the_images_are_not_there_yet(capsys, tiny):
    shutil.rmtree(tiny / "images")
    _, answer = run(capsys, "--task", "refcoco+", "--split", "testA", "--data", tiny)
    (split,) = answer["splits"]
    assert split["counts"] == {"samples": 2, "images": 1, "references": 1}
    assert split["found"] == [
        "2 samples, officially 5,726",
        "1 images, officially 750",
        "1 references, officially 1,975",
    ]


def test_every_missing_image_is_named(capsys, own):
    gone = sorted((own / "images" / "coco" / "val2017").iterdir())[::2]
    for path in gone:
        path.unlink()
    _, answer = run(capsys, "--task", "ovad", "--data", own)
    images = by_path(answer)["images/coco/val2017"]
    assert images["state"] == "incomplete"
    assert images["found"] == [f"90 of 180 images are missing, e.g. {gone[0].name}"]
    assert images["lacking"] == [path.name for path in gone]


def test_an_empty_folder_of_images_is_not_taken_for_images(capsys, tiny):
    shutil.rmtree(tiny / "refcoco+")
    for path in (tiny / "images" / "coco" / "train2014").iterdir():
        path.unlink()
    _, answer = run(capsys, "--task", "refcoco+", "--data", tiny)
    images = by_path(answer)["images/coco/train2014"]
    assert (images["state"], images["found"]) == ("incomplete", ["the folder is empty"])


def test_a_folder_of_images_that_cannot_be_read_is_not_called_empty(capsys, tiny, monkeypatch):
    closed, scan = tiny / "images" / "coco" / "train2014", os.scandir

    def refuse(path):
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    shutil.rmtree(tiny / "refcoco+")
    monkeypatch.setattr(os, "scandir", refuse)
    _, answer = run(capsys, "--task", "refcoco+", "--data", tiny)
    images = by_path(answer)["images/coco/train2014"]
    assert images["found"] == [f"{closed} cannot be read (Permission denied)"]
    assert images["state"] == "wrong"


def test_every_image_with_a_problem_is_named(capsys, own):
    folder = own / "images" / "coco" / "train2014"
    cut, page, small, lost = sorted(folder.iterdir())[:4]
    whole = cut.read_bytes()
    for path in (cut, page, small, lost):
        path.unlink()  # a link to the embedded benchmark's file
    cut.write_bytes(whole[: len(whole) // 2])
    page.write_text("<html>not found</html>")
    Image.new("RGB", (50, 40)).save(small)
    code, answer = run(capsys, "--task", "refcoco+", "--verify", "--data", own)
    reasons = {Path(image["path"]).name: image["reason"] for image in answer["misfits"]}
    assert code == 3 and set(reasons) == {cut.name, page.name, small.name, lost.name}
    assert "cannot be decoded" in reasons[cut.name]
    assert "is an HTML page, not the file itself" in reasons[page.name]
    assert reasons[small.name].startswith("is 50 x 40 pixels, by the annotations ")
    assert reasons[lost.name].startswith("no such image")
    assert {tuple(image["needed_by"]) for image in answer["misfits"]} == {("refcoco+ val",)}


def test_a_box_beyond_its_image_is_a_problem_of_the_image(capsys, own):
    path = sorted((own / "images" / "coco" / "val2017").iterdir())[0]
    path.unlink()
    Image.new("RGB", (3, 3)).save(path)
    _, answer = run(capsys, "--task", "ovad", "--verify", "--data", own)
    (problem,) = answer["misfits"]
    assert "lies outside of the 3 x 3 pixels" in problem["reason"]


def test_an_unreadable_annotation_file_is_reported_and_the_others_are_examined(capsys, own):
    (own / "refcoco+" / "instances.json").unlink()
    (own / "refcoco+" / "instances.json").write_text("{")
    code, answer = run(capsys, "--task", "refcoco+,ovad", "--data", own)
    found = {split["task"]: split for split in answer["splits"]}
    assert code == 3 and "instances.json: is not JSON" in found["refcoco+"]["found"][0]
    assert found["ovad"]["counts"]["samples"] == 514


def test_questions_without_annotations_are_reported_before_a_run(capsys, own):
    (own / "vqa" / "v2_mscoco_val2014_annotations.json").unlink()
    _, answer = run(capsys, "--task", "vqav2", "--split", "val", "--data", own)
    assert by_path(answer)["vqa/v2_mscoco_val2014_annotations.json"]["state"] == "missing"
    assert find_task("vqav2").files("val")[1] in DataFolder(own, "files").missing(
        find_task("vqav2").files("val")
    )


def test_a_list_of_captions_serves_both_tasks_by_either_name(capsys, own):
    (own / "coco" / "dataset_coco.json").unlink()
    (own / "coco_karpathy_test.json").write_text(
        '[{"image": "val2014/COCO_val2014_000000100000.jpg", "caption": ["a"]}]'
    )
    _, answer = run(
        capsys, "--task", "coco-caption,coco-retrieval", "--split", "test", "--data", own
    )
    files = by_path(answer)
    assert files["coco_karpathy_test.json"]["needed_by"] == [
        "coco-caption test",
        "coco-retrieval test",
    ]
    assert "3ff34b0ef2db02d01c37399f6a2a6cd1" in files["coco_karpathy_test.json"]["found"][0]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--task", "chess"], 2), (["--data", "nowhere"], 3), (["--split", "testC"], 2)],
)
def test_what_does_not_exist_is_refused(capsys, tmp_path, monkeypatch, arguments, code):
    monkeypatch.chdir(tmp_path)
    assert main(["data", *arguments]) == code
    assert capsys.readouterr().out == ""
