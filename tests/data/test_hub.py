"""Data from the hub: copies become data folders with the same samples."""

import shutil

import pytest

from harness.callbacks import no_progress
from harness.data.hub.materialise import hub_data
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from tests.support.hub_rows import (
    own_cache_of_datasets,  # noqa: F401
    refcoco_rows,
    write_copy,
)


def loaded(task, split, folder):
    data = hub_data(f"hf:{folder}", {task: [split]}, progress=no_progress)
    if task == "vqav2":
        shutil.copy(embedded_data().root / "vqa" / "answer_list.json", data.root / "vqa")
    return find_task(task).load(data, split)


def without_folders(samples, *fields):
    return [
        tuple(getattr(sample, field) for field in fields)
        + tuple(path.name for path in sample.images)
        for sample in samples
    ]


@pytest.mark.parametrize("split", ["val", "test-dev", "test"])
def test_questions_answers_and_images_are_the_original_ones(copies, split):
    found = loaded("vqav2", split, copies["vqa"])
    expected = find_task("vqav2").load(embedded_data(), split)[:60]
    fields = ("id", "text", "answers", "answer_type", "question_type", "choices")
    assert without_folders(found, *fields) == without_folders(expected, *fields)
    assert found[0].images[0].read_bytes() == expected[0].images[0].read_bytes()


@pytest.mark.parametrize("task", ["coco-caption", "coco-retrieval"])
@pytest.mark.parametrize("split", ["test", "val"])
def test_captions_are_the_original_ones(copies, task, split):
    found, expected = (
        loaded(task, split, copies["karpathy"]),
        find_task(task).load(embedded_data(), split)[:30],
    )
    assert without_folders(found, "id", "captions") == without_folders(expected, "id", "captions")


@pytest.mark.parametrize("split", ["test", "val"])
def test_flickr30k_is_filtered_to_the_karpathy_split(copies, split):
    found = loaded("flickr30k-retrieval", split, copies["flickr30k"])
    expected = find_task("flickr30k-retrieval").load(embedded_data(), split)[:30]
    kept = [
        picture
        for index, picture in enumerate(expected, start=0 if split == "test" else 30)
        if index % 7
    ]
    assert without_folders(found, "id", "captions") == without_folders(kept, "id", "captions")
    assert all(path.is_file() for sample in found for path in sample.images)
    assert (
        len(list(found[0].images[0].parent.iterdir())) == 60 - 9
    )  # the images of other splits are not written


@pytest.mark.parametrize("split", ["val", "testA", "testB"])
def test_references_become_expressions_with_their_boxes(copies, split):
    found = loaded("refcoco+", split, copies["refcoco"])
    by_ref = {}
    for one in find_task("refcoco+").load(embedded_data(), split):
        by_ref.setdefault(one.ref_id, []).append(one)
    expected = [one for expressions in list(by_ref.values())[:40] for one in expressions]
    fields = ("text", "box", "width", "height")
    assert without_folders(found, *fields) == without_folders(expected, *fields)
    assert len({one.id for one in found}) == len(found) and len({one.ref_id for one in found}) == 40


def test_boxes_in_float32_get_their_two_decimals_back(copies, tmp_path):
    row = {**next(refcoco_rows("val")), "bbox": [33.93, 10.07, 41.29, 20.11]}
    copy = write_copy(
        tmp_path / "refcoco", "refcoco", {"val": [row], "testA": [row], "testB": [row]}
    )
    assert loaded("refcoco+", "val", copy)[0].box == (33.93, 10.07, 41.29, 20.11)
