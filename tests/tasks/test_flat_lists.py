"""X-VLM's and ALBEF's flat lists hold the same samples as the originals they were made of."""

import json
import shutil

import pytest

from harness.formats.folder import DataFolder
from harness.metrics.nlvr2 import consistency
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from tests.support.real_files import REAL


@pytest.fixture
def data(tmp_path):
    """The embedded benchmark's files without its pictures."""
    root = tmp_path / "data"
    shutil.copytree(embedded_data().root, root, ignore=shutil.ignore_patterns("*.jpg", "*.png"))
    return DataFolder(root, "files")


def write(data, name, content):
    path = data.root / "data" / "finetune" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("task", "original", "flat"),
    [
        ("coco-caption", "coco/dataset_coco.json", "coco_karpathy_test.json"),
        ("coco-retrieval", "coco/dataset_coco.json", "coco_test.json"),
        ("flickr30k-retrieval", "flickr30k/dataset_flickr30k.json", "flickr30k_test.json"),
    ],
)
def test_a_flat_list_of_captions_gives_the_samples_of_the_originals(data, task, original, flat):
    before = find_task(task).load(data, "test")
    folder = "flickr30k-images" if "flickr" in task else "val2014"
    write(
        data,
        flat,
        [{"image": f"{folder}/{s.images[0].name}", "caption": list(s.captions)} for s in before],
    )
    (data.root / original).unlink()
    assert find_task(task).load(data, "test") == before


def test_a_flat_list_of_questions_gives_the_samples_and_the_accuracy_of_the_originals(data):
    task = find_task("vqav2")
    before = task.load(data, "val")
    answers = [[answer["answer"] for answer in s.answers] for s in before]
    flat = [
        {
            "question_id": s.id,
            "question": s.text,
            "answer": texts,
            "image": f"val2014/{s.images[0].name}",
            "dataset": "vqa",
        }
        for s, texts in zip(before, answers, strict=True)
    ]
    write(data, "vqa_val.json", flat)
    (data.root / "vqa" / "v2_OpenEnded_mscoco_val2014_questions.json").unlink()
    after = task.load(data, "val")
    assert [(s.id, s.text, s.images) for s in after] == [(s.id, s.text, s.images) for s in before]
    predictions = {s.id: texts[0] for s, texts in zip(before, answers, strict=True)}
    assert (
        task.score(after, predictions).metrics["accuracy"]
        == task.score(before, predictions).metrics["accuracy"]
    )


def test_statements_are_grouped_by_set_and_sentence(data):
    task = find_task("nlvr2")
    before = task.load(data, "test")
    names = [[f"test1/{image.name}" for image in s.images] for s in before]
    write(
        data,
        "nlvr_test.json",
        [
            {"sentence": s.text, "label": str(s.label), "images": n}
            for s, n in zip(before, names, strict=True)
        ],
    )
    (data.root / "nlvr2" / "test1.json").unlink()
    after = task.load(data, "test")
    assert [(s.text, s.label, s.images) for s in after] == [
        (s.text, s.label, s.images) for s in before
    ]
    judged = [number % 3 != 0 for number in range(len(before))]
    assert consistency(judged, [s.group for s in after]) == consistency(
        judged, [s.group for s in before]
    )


@pytest.mark.skipif(not REAL.is_dir(), reason="the annotations of lil-lab/nlvr are not here")
@pytest.mark.parametrize(
    ("split", "file", "examples", "groups"),
    [("dev", "dev.json", 6982, 2018), ("test", "test1.json", 6967, 1995)],
)
def test_the_real_annotations_of_nlvr2_have_the_published_counts(
    tmp_path, split, file, examples, groups
):
    (tmp_path / "nlvr2").mkdir()
    (tmp_path / "nlvr2" / file).symlink_to(REAL / file)
    (tmp_path / "images" / "nlvr2").mkdir(parents=True)
    samples = find_task("nlvr2").load(DataFolder(tmp_path, "files"), split)
    assert (len(samples), len({s.group for s in samples})) == (examples, groups)
    scores = find_task("nlvr2").score(samples, {s.id: s.label for s in samples})
    assert scores.metrics == {"accuracy": 100.0, "consistency": 100.0}
