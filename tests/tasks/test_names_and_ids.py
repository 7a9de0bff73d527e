"""Names of images and ids: the folder in a name counts, and no two samples share an id."""

import json
import shutil
from dataclasses import replace

import pytest

from harness.cli.main import main
from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from harness.task import load_samples
from tests.support import refcoco_files

FIRST = "COCO_val2014_000000100000.jpg"
SECOND = "COCO_val2014_000000100001.jpg"
# Two folders with a picture of the same name: as a list of X-VLM, BLIP and LAVIS has them.
LIST = [
    {"image": f"a/{FIRST}", "caption": ["a red cup"]},
    {"image": f"b/{FIRST}", "caption": ["a blue cup", "two cups"]},
    {"image": f"val2014/{SECOND}", "caption": ["a green cup"]},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images" / "coco" / "val2014").mkdir(parents=True)
    return DataFolder(tmp_path, "files")


def put(folder, name, content):
    path = folder.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def relative(folder, samples):
    return [path.relative_to(folder.root).as_posix() for s in samples for path in s.images]


def load(folder, task, split="test"):
    return load_samples(find_task(task), folder, split)


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("images/coco/a", "images/coco/a"),  # beside the collection's folder, as X-VLM reads it
        ("images/coco/val2014/a", "images/coco/val2014/a"),
        ("images/a", "images/a"),
        ("a", "a"),
        ("elsewhere", "images/coco/val2014/a"),  # absent: a run names it
    ],
)
def test_the_folder_in_a_list_counts(folder, place, found):
    put(folder, "coco_test.json", LIST)
    (folder.root / place).mkdir(parents=True)
    samples = load(folder, "coco-retrieval")
    assert [s.id for s in samples] == [f"a/{FIRST}", f"b/{FIRST}", SECOND]
    paths = relative(folder, samples)
    assert paths[0] == f"{found}/{FIRST}" and paths[2] == f"images/coco/val2014/{SECOND}"


def test_captions_of_two_pictures_with_one_number_are_refused_by_both_names(folder):
    put(folder, "coco_karpathy_test.json", LIST)
    with pytest.raises(DataError, match=rf"the id 100000, .*a/{FIRST} and .*b/{FIRST}"):
        load(folder, "coco-caption")
    names = ["x/007.jpg", "x/extra_7.jpg"]
    put(folder, "coco_karpathy_test.json", [{"image": n, "caption": ["a"]} for n in names])
    with pytest.raises(DataError, match=r"the id 7, .*x/007\.jpg and .*x/extra_7\.jpg"):
        load(folder, "coco-caption")
    numbered = [{"image": n, "caption": ["a"], "image_id": i} for i, n in enumerate(names)]
    put(folder, "coco_karpathy_test.json", numbered)
    assert [sample.id for sample in load(folder, "coco-caption")] == [0, 1]


def test_cocos_own_number_is_the_id_of_its_captions(folder):
    images = [
        {"filename": name, "cocoid": id, "imgid": 5, "split": "test", "sentences": [{"raw": "a"}]}
        for name, id in [("a_1.jpg", 391895), ("b_1.jpg", 522418)]
    ]
    put(folder, "coco/dataset_coco.json", {"images": images})
    assert [sample.id for sample in load(folder, "coco-caption")] == [391895, 522418]
    assert [sample.id for sample in load(folder, "coco-retrieval")] == ["a_1.jpg", "b_1.jpg"]


def test_a_list_of_questions_shows_the_picture_that_it_names(folder):
    put(folder, "vqa/answer_list.json", ["yes", "no"])
    names = ["vg/7.jpg", "val2014/7.jpg", "7.jpg"]
    entries = [{"question_id": i, "question": "?", "image": n} for i, n in enumerate(names)]
    put(folder, "vqa_val.json", [entry | {"answer": ["yes"] * 10} for entry in entries])
    (folder.root / "images" / "coco" / "vg").mkdir()
    assert relative(folder, load(folder, "vqav2", "val")) == [
        "images/coco/vg/7.jpg",
        "images/coco/val2014/7.jpg",
        "images/coco/val2014/7.jpg",
    ]


def test_pairs_of_pictures_keep_their_folders(folder):
    names = [["sw/images/32/1.jpg", "sw/images/33/1.jpg"], ["dev/1.png", "1.png"]]
    entries = [{"sentence": "two", "label": "True", "images": pair} for pair in names]
    put(folder, "nlvr_dev.json", entries)
    (folder.root / "images" / "nlvr2" / "dev").mkdir(parents=True)
    (folder.root / "images" / "sw" / "images" / "32").mkdir(parents=True)
    assert relative(folder, load(folder, "nlvr2", "dev")) == [
        "images/sw/images/32/1.jpg",
        "images/nlvr2/dev/sw/images/33/1.jpg",
        "images/nlvr2/dev/1.png",
        "images/nlvr2/dev/1.png",
    ]


def test_a_list_of_expressions_names_the_picture_of_its_reference(tmp_path):
    refcoco_files.write(tmp_path)
    data, path = DataFolder(tmp_path, "files"), tmp_path / "refcoco+_val.json"
    path.write_text(json.dumps([{"image": "train2014/one.jpg", "text": "cup", "ref_id": 0}]))
    (sample,) = load(data, "refcoco+", "val")
    assert sample.images[0] == tmp_path / "images/coco/train2014/one.jpg"
    path.write_text(json.dumps([{"image": "train2014/two.jpg", "text": "cup", "ref_id": 0}]))
    with pytest.raises(DataError, match=r"item 0: names the image 'train2014/two\.jpg', but ref_"):
        load(data, "refcoco+", "val")


def test_own_lists_keep_the_folders_of_their_pictures(folder):
    put(folder, "coco_test.json", LIST)
    task = find_task("coco-retrieval")
    lists = task.flat_lists({"test": load(folder, "coco-retrieval")})
    assert lists == {"coco_test.json": LIST}


@pytest.mark.parametrize("ids", [(1, 1), (1, "1"), ("a", "a"), (None, 2), (True, 2), (1.0, 2)])
def test_doubled_and_unfit_ids_of_any_task_are_refused(ids):
    class Plugin(type(find_task("refcoco+"))):
        def load(self, data, split):
            first, second, *_ = super().load(data, split)
            return [replace(first, id=ids[0]), replace(second, id=ids[1])]

    with pytest.raises(DataError, match=r"(have|has a sample with) the id"):
        load_samples(Plugin(), embedded_data(), "val")


def test_a_split_without_samples_is_refused():
    class Plugin(type(find_task("refcoco+"))):
        def load(self, data, split):
            return []

    with pytest.raises(DataError, match=r"refcoco\+ val has no sample"):
        load_samples(Plugin(), embedded_data(), "val")


@pytest.mark.parametrize("task", ["coco-retrieval", "coco-caption"])
def test_two_pictures_of_one_name_are_two_pictures_for_every_verb(folder, tmp_path, capsys, task):
    name = "coco_test.json" if task == "coco-retrieval" else "coco_karpathy_test.json"
    put(folder, name, LIST)
    images, own = embedded_data().root / "images/coco/val2014", folder.root / "images/coco"
    for image in (FIRST, SECOND):
        shutil.copy(images / image, own / "val2014" / image)  # not the ones that the list names
    flags = ["--task", task, "--split", "test", "--data", str(folder.root)]
    run = ["run", *flags, "--checkpoint", "xvlm-shapes", "--out", str(tmp_path / "out")]
    problem = {
        "coco-retrieval": "a/COCO_val2014_000000100000.jpg: no such image",
        "coco-caption": "have the id 100000",
    }[task]
    assert main(run) == 3 and problem in capsys.readouterr().err
    assert main(["data", *flags]) == 3
    if task == "coco-retrieval":
        assert "2 of 3 images are missing" in capsys.readouterr().out
        for place, image in (("a", FIRST), ("b", SECOND)):
            (own / place).mkdir()
            shutil.copy(images / image, own / place / FIRST)
        assert main(["data", *flags]) == 3  # its counts are not the official ones
        assert "images are missing" not in capsys.readouterr().out
        assert main(run) == 0
        lines = (tmp_path / "out/xvlm-shapes/coco-retrieval.test.predictions.jsonl").read_text()
        assert len(lines.splitlines()) == 4
