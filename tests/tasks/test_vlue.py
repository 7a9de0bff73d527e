"""VLUE's five lists: small ones by hand, and the three real ones where this machine has them."""

import json
import unicodedata

import pytest
from PIL import Image

from harness.data.published import split_deviations
from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.registry import find_task
from harness.task import load_samples
from tests.support.real_files import real_data

VLUE = real_data("vlue")
FOLDER = "tr/images/43-Kanun_(çalgı)"
A, B, C = (unicodedata.normalize("NFD", f"{FOLDER}/43-{number}.jpg") for number in (0, 1, 2))
BOX = {"width": 40, "height": 30, "bbox": [5, 5, 20, 10]}
LISTS = {
    "itr_vlue_test.json": [
        {"image": A, "caption": ["a zither", "strings"]},
        {"image": B, "caption": ["a man"]},
        {"image": A, "caption": ["an instrument"]},
    ],
    "vqa_vlue_test.json": [
        {"question_id": 7, "question": "Is it red?", "image": A, "answer": "no"},
        {"question_id": 3, "question": "How many?", "image": A, "answer": "2"},
    ],
    "nlvr2_vlue_test.json": [
        {"sentence": "Both are red.", "images": [A, B], "label": "True"},
        {"sentence": "Both are red.", "images": [A, B], "label": "False"},
        {"sentence": "One is blue.", "images": [B, C], "label": "False"},
    ],
    "refcoco+_vlue_test.json": [{"ref_id": 4, "text": "the zither", "image": A, **BOX}],
    "refcoco+_bbox100_vlue_test.json": [
        {
            "ref_id": 4,
            "text": "the zither",
            "image": A,
            **BOX,
            "dets": [[0, 0, 4, 4], [5, 5, 20, 8]],
        }
    ],
}


def write(root, form="NFC", lists="vlue"):
    """Write the lists, and images whose names have a form of Unicode."""
    (root / lists).mkdir(parents=True)
    for name, content in LISTS.items():
        (root / lists / name).write_text(json.dumps(content))
    (root / "vqa").mkdir(exist_ok=True)
    (root / "vqa" / "answer_list.json").write_text(json.dumps(["yes", "no", "2", "3"]))
    for name in (A, B, C):
        path = root / "images" / "marvl" / unicodedata.normalize(form, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(path)
    return DataFolder(root, "files")


def load(data, name):
    return load_samples(find_task(f"vlue-{name}"), data, "test")


NAMES = ("retrieval", "vqa", "nlvr2", "grounding", "grounding-weak")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", NAMES)
def test_images_are_found_whichever_form_of_unicode_their_names_have(tmp_path, name, form):
    assert unicodedata.normalize("NFC", A) != A
    data = write(tmp_path, form)
    images = [image for sample in load(data, name) for image in sample.images]
    assert images and all(image.is_file() for image in images)


def test_an_image_that_is_missing_has_the_name_of_the_list(tmp_path):
    data = write(tmp_path)
    (tmp_path / "images" / "marvl" / unicodedata.normalize("NFC", B)).unlink()
    assert load(data, "retrieval")[1].images[0] == tmp_path / "images" / "marvl" / B


@pytest.mark.parametrize("name", NAMES)
def test_the_lists_are_found_where_x_vlms_code_has_them(tmp_path, name):
    assert load(write(tmp_path, lists="data/vlue_released"), name)


def test_an_image_that_is_listed_twice_is_two_samples(tmp_path):
    data, task = write(tmp_path), find_task("vlue-retrieval")
    samples = load(data, "retrieval")
    assert [sample.id for sample in samples] == [A, B, f"{A}#2"]
    assert samples[0].images == samples[2].images
    assert task.counts(samples) == {"samples": 3, "images": 2, "captions": 4}


def test_both_listings_tie_and_the_later_one_comes_first(tmp_path):
    task, samples = find_task("vlue-retrieval"), load(write(tmp_path), "retrieval")
    scores = [3.0, 2.0, -1.0, 1.0]  # of image A with the four captions
    both = {"texts": [0, 1, 2, 3], "itc": scores, "itm": scores}
    other = {"texts": [0, 1, 2, 3], "itc": [0.0] * 3 + [-1.0], "itm": [0.0, 0.0, 5.0, 0.0]}
    metrics = task.score(samples, {A: both, B: other, f"{A}#2": both}).metrics
    # A's captions 0 and 1 belong to its first listing, and the second one comes before it.
    assert metrics["t2i_r1"] == 50.0 and metrics["t2i_r5"] == 100.0
    assert metrics["i2t_r1"] == pytest.approx(200 / 3)


def test_another_list_may_not_name_an_image_twice(tmp_path):
    root = tmp_path / "coco"
    root.mkdir(parents=True)
    (root / "coco_test.json").write_text(json.dumps(LISTS["itr_vlue_test.json"]))
    with pytest.raises(DataError, match="occurs twice"):
        find_task("coco-retrieval").load(DataFolder(tmp_path, "files"), "test")


def test_the_one_true_answer_is_compared_after_cleaning(tmp_path):
    data, task = write(tmp_path), find_task("vlue-vqa")
    samples = load(data, "vqa")
    assert [(s.id, s.text, len(s.answers), len(s.choices)) for s in samples] == [
        (7, "Is it red?", 1, 4),
        (3, "How many?", 1, 4),
    ]
    assert task.score(samples, {7: "no", 3: "two"}).metrics == {"accuracy": 100.0}
    assert task.score(samples, {7: "yes", 3: "2"}).by_sample["accuracy"] == [0.0, 100.0]
    fallback = {sample.id: task.fallback_prediction(sample) for sample in samples}
    assert task.score(samples, fallback).metrics == {"accuracy": 0.0}
    with pytest.raises(DataError, match="the prediction for question 7 should be a text"):
        task.score(samples, {7: None, 3: "2"})
    path = tmp_path / "answers.json"
    path.write_text('[{"question_id": 3, "answer": "2"}, {"question_id": 7, "answer": "yes"}]')
    assert task.score_official(samples, path).metrics == {"accuracy": 50.0}
    assert not task.hidden and task.server == ""


def test_statements_are_known_by_their_index_and_have_no_groups(tmp_path):
    data, task = write(tmp_path), find_task("vlue-nlvr2")
    samples = load(data, "nlvr2")
    assert [(s.id, s.label, s.names) for s in samples] == [
        ("0", True, (A, B)),
        ("1", False, (A, B)),
        ("2", False, (B, C)),
    ]
    assert {sample.image_set for sample in samples} == {A.rpartition("/")[0]}
    assert task.counts(samples) == {"samples": 3, "images": 3, "pairs": 2, "true": 1}
    scores = task.score(samples, {"0": True, "1": True, "2": False})
    assert scores.metrics == {"accuracy": pytest.approx(200 / 3)}
    assert scores.statistics.keys() == {"accuracy"}
    path = tmp_path / "labels.csv"
    path.write_text("2,True\n0,True\n1,False\n")
    assert task.score_official(samples, path).by_sample["accuracy"] == [100.0, 100.0, 0.0]


def test_boxes_and_detections_are_those_of_the_list(tmp_path):
    data, task = write(tmp_path), find_task("vlue-grounding")
    (sample,) = load(data, "grounding")
    assert (sample.id, list(sample.box), sample.width, sample.height) == (4, [5, 5, 20, 10], 40, 30)
    right = [15 / 40, 10 / 30, 20 / 40, 10 / 30]
    assert task.score([sample], {4: right}).metrics == {"accuracy": 100.0}
    assert task.score([sample], {4: task.fallback_prediction(sample)}).metrics == {"accuracy": 0.0}
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"ref_id": 4, "pred": right}]))
    assert task.score_official([sample], path).metrics == {"accuracy": 100.0}
    weak, (detected,) = find_task("vlue-grounding-weak"), load(data, "grounding-weak")
    assert [list(box) for box in detected.detections] == [[0, 0, 4, 4], [5, 5, 20, 8]]
    assert weak.score([detected], {4: [5, 5, 20, 8]}).metrics == {"accuracy": 100.0}


ENTRY = LISTS["refcoco+_bbox100_vlue_test.json"][0]


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([ENTRY, ENTRY], "ref_id 4 occurs twice"),
        ([{**ENTRY, "bbox": [5, 5, 0, 10]}], "item 0: annotation 4 has an empty box"),
        ([{**ENTRY, "bbox": [50, 5, 9, 9]}], "outside its image of 40 x 30 pixels"),
        ([{**ENTRY, "dets": []}], "item 0: has no detections"),
        ([{**ENTRY, "dets": [[0, 0, 0, 3]]}], "item 0: has an empty detection"),
        ([{**ENTRY, "image": "../a.jpg"}], "lies outside of"),
        ([{key: ENTRY[key] for key in ENTRY if key != "bbox"}], "bbox"),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused(tmp_path, entries, problem):
    data = write(tmp_path)
    path = tmp_path / "vlue" / "refcoco+_bbox100_vlue_test.json"
    path.write_text(json.dumps(entries))
    with pytest.raises(DataError, match=problem) as caught:
        load(data, "grounding-weak")
    assert str(path) in str(caught.value)


@pytest.mark.skipif(not VLUE.is_dir(), reason="the lists of MichaelZhouwang/VLUE are not here")
@pytest.mark.parametrize("name", ["retrieval", "vqa", "nlvr2"])
def test_the_real_lists_have_the_official_counts_and_digests(tmp_path, name):
    (tmp_path / "vlue").symlink_to(VLUE)
    (tmp_path / "vqa").symlink_to(VLUE.parent / "lists")
    (tmp_path / "images" / "marvl").mkdir(parents=True)
    data, task = DataFolder(tmp_path, "files"), find_task(f"vlue-{name}")
    samples = load_samples(task, data, "test")
    assert task.counts(samples) == task.dataset.counts["test"]
    digests = {
        path.split("/")[-1]: hash for path, hash in data.fingerprint(task.files("test")).items()
    }
    for file, digest in task.dataset.digests.items():
        assert digests[file] == digest.value
    if name == "vqa":
        assert {sample.answers[0]["answer"] for sample in samples} <= set(samples[0].choices)
        answers = {sample.id: sample.answers[0]["answer"] for sample in samples}
        assert task.score(samples, answers).metrics == {"accuracy": 100.0}


@pytest.mark.skipif(not VLUE.is_dir(), reason="the published lists are not here")
@pytest.mark.parametrize("name", ["retrieval", "nlvr2", "vqa"])
def test_an_indented_copy_of_a_real_list_is_the_published_one(tmp_path, name):
    (tmp_path / "vlue").mkdir()
    (tmp_path / "vqa").symlink_to(VLUE.parent / "lists")
    for path in VLUE.glob("*.json"):
        content = json.dumps(json.loads(path.read_text()), indent=2, ensure_ascii=False)
        (tmp_path / "vlue" / path.name).write_text(content + "\n")
    data, task = DataFolder(tmp_path, "files"), find_task(f"vlue-{name}")
    assert split_deviations(task, data, "test", load_samples(task, data, "test")) == []
