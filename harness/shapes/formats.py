"""Scenes written as the benchmarks publish theirs: captions, questions, statements and attributes in the official files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.shapes.storage import coco_name, write_image, write_json
from harness.shapes.world.attributes import attributes, labels
from harness.shapes.world.questions import ANSWERS, questions
from harness.shapes.world.scenes import Dice, Scene, evaluation_scene
from harness.shapes.world.sentences import captions
from harness.shapes.world.statements import statement

SCENES = {"test": 100, "val": 40}  # of COCO and of Flickr30K
HIDDEN = 20  # scenes of VQA's test, whose answers are not written
OBJECTS = 180  # scenes of OVAD, with two to four boxes each
SETS = {
    "dev": 20,
    "test1": 40,
}  # sets of NLVR2: each is four pairs and two statements on all of them
PAIRS = 4
FIRST = {
    "val2014": 100_000,
    "test2015": 200_000,
    "val2017": 300_000,
}  # image ids of COCO's folders begin there


def write_captions_and_questions(root: Path) -> None:
    """Write COCO's val2014 images, their captions by the Karpathy split, and VQA's questions about them."""
    images: list[dict[str, Any]] = []
    asked: list[tuple[int, Scene]] = []
    for split, count in SCENES.items():
        for number in range(count):
            image_id = FIRST["val2014"] + len(images)
            scene = evaluation_scene(f"coco:{split}:{number}")
            write_image(
                root / "images" / "coco" / "val2014" / coco_name("val2014", image_id), scene
            )
            said = captions(scene, seed=f"coco:{image_id}")
            images.append(
                _karpathy(len(images), split, coco_name("val2014", image_id), said)
                | {"filepath": "val2014", "cocoid": image_id}
            )
            asked.append((image_id, scene))
    write_json(root / "coco" / "dataset_coco.json", {"dataset": "coco", "images": images})
    _write_questions(root / "vqa", "val2014", asked, hidden=False)
    unseen = [
        (FIRST["test2015"] + number, evaluation_scene(f"vqa:test:{number}"))
        for number in range(HIDDEN)
    ]
    for image_id, scene in unseen:
        write_image(root / "images" / "coco" / "test2015" / coco_name("test2015", image_id), scene)
    _write_questions(root / "vqa", "test2015", unseen, hidden=True)
    write_json(root / "vqa" / "answer_list.json", list(ANSWERS))


def write_flickr30k(root: Path) -> None:
    """Write Flickr30K's images and captions."""
    images: list[dict[str, Any]] = []
    for split, count in SCENES.items():
        for number in range(count):
            scene, name = (
                evaluation_scene(f"flickr30k:{split}:{number}"),
                f"{10_000_000 + len(images)}.jpg",
            )
            write_image(root / "images" / "flickr30k-images" / name, scene)
            images.append(
                _karpathy(len(images), split, name, captions(scene, seed=f"flickr30k:{name}"))
            )
    write_json(
        root / "flickr30k" / "dataset_flickr30k.json", {"dataset": "flickr30k", "images": images}
    )


def write_nlvr2(root: Path) -> None:
    """Write pairs of images and statements on them, one example a line."""
    for split, count in SETS.items():
        lines = []
        for number in range(count):
            pairs = [
                tuple(evaluation_scene(f"nlvr2:{split}:{number}:{pair}:{side}") for side in (0, 1))
                for pair in range(PAIRS)
            ]
            for pair, scenes in enumerate(pairs):
                for side, scene in enumerate(scenes):
                    write_image(
                        root
                        / "images"
                        / "nlvr2"
                        / split
                        / f"{split}-{number}-{pair}-img{side}.png",
                        scene,
                    )
            for sentence, (text, truths) in enumerate(
                _statements(pairs, seed=f"nlvr2:{split}:{number}")
            ):
                for pair, true in enumerate(truths):
                    lines.append(
                        {
                            "identifier": f"{split}-{number}-{pair}-{sentence}",
                            "sentence": text,
                            "label": str(true),
                        }
                    )
        path = root / "nlvr2" / f"{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def write_ovad(root: Path) -> None:
    """Write COCO's val2017 images and the attributes of every object in them."""
    asked = [
        {
            "id": number,
            "name": attribute.name,
            "type": attribute.name.split(":")[0],
            "parent_type": attribute.property,
            "is_has_att": attribute.is_has_att,
            "freq_set": attribute.freq_set,
        }
        for number, attribute in enumerate(attributes())
    ]
    images: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for number in range(OBJECTS):
        scene, image_id = evaluation_scene(f"ovad:{number}"), FIRST["val2017"] + number
        write_image(root / "images" / "coco" / "val2017" / coco_name("val2017", image_id), scene)
        images.append(
            {
                "id": image_id,
                "file_name": coco_name("val2017", image_id),
                "width": scene.width,
                "height": scene.height,
            }
        )
        for thing in scene.objects:
            x, y, w, h = thing.box
            box = {
                "bbox": [x, y, w, h],
                "area": float(w * h),
                "iscrowd": 0,
                "category_id": 1,
                "att_vec": labels(scene, thing),
            }
            boxes.append({"id": len(boxes) + 1, "image_id": image_id, **box})
    write_json(
        root / "ovad" / "ovad2000.json",
        {"images": images, "attributes": asked, "annotations": boxes},
    )


def _karpathy(number: int, split: str, name: str, said: Sequence[str]) -> dict[str, Any]:
    sentences = [
        {"raw": text, "tokens": text.lower().rstrip(".").split(), "imgid": number} for text in said
    ]
    return {"filename": name, "imgid": number, "split": split, "sentences": sentences}


def _write_questions(
    folder: Path, data: str, scenes: Sequence[tuple[int, Scene]], *, hidden: bool
) -> None:
    asked, answered = [], []
    for image_id, scene in scenes:
        for number, question in enumerate(questions(scene, seed=f"vqa:{image_id}")):
            question_id = image_id * 1000 + number
            asked.append(
                {"image_id": image_id, "question": question.text, "question_id": question_id}
            )
            said = [
                {"answer": text, "answer_confidence": "yes", "answer_id": place}
                for place, text in enumerate(question.said, start=1)
            ]
            answered.append(
                {
                    "question_type": question.question_type,
                    "multiple_choice_answer": question.answer,
                    "answer_type": question.answer_type,
                    "image_id": image_id,
                    "question_id": question_id,
                    "answers": said,
                }
            )
    head = {"data_type": "mscoco", "data_subtype": data}
    write_json(
        folder / f"v2_OpenEnded_mscoco_{data}_questions.json",
        {**head, "task_type": "Open-Ended", "questions": asked},
    )
    if not hidden:
        write_json(folder / f"v2_mscoco_{data}_annotations.json", {**head, "annotations": answered})


def _statements(pairs: Sequence[Sequence[Scene]], *, seed: str) -> list[tuple[str, list[bool]]]:
    """Return two statements and of which pairs they are true: of two of the four, if some can be found."""
    dice = Dice(f"statements:{seed}")
    found: dict[str, list[bool]] = {}
    for attempt in range(2000):
        tried = statement(dice)
        truths = [tried.holds(left, right) for left, right in pairs]
        if sum(truths) == PAIRS // 2 or (attempt > 1000 and any(truths) and not all(truths)):
            found.setdefault(tried.text, truths)
        if len(found) == 2:
            break
    return list(found.items())
