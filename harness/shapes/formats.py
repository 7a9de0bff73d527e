"""Write captions, questions, statements and attributes in the official formats."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.shapes.storage import coco_name, write_image, write_json
from harness.shapes.world.attributes import attributes, labels
from harness.shapes.world.questions import ANSWERS, Question, questions
from harness.shapes.world.scenes import Rng, Scene, evaluation_scene
from harness.shapes.world.sentences import captions
from harness.shapes.world.statements import statement

SCENES = {"test": 100, "val": 40}  # images per split of COCO and of Flickr30K
HIDDEN_SCENES = 20  # images of VQA's test set, whose answers are not written
OVAD_SCENES = 180  # with two to four boxes each
SETS = {"dev": 20, "test1": 40}  # of NLVR2: each has four pairs of images and two statements
PAIRS = 4
FIRST_IMAGE_ID = {"val2014": 100_000, "test2015": 200_000, "val2017": 300_000}
FIRST_FLICKR30K_ID = 10_000_000
# What the official evaluator of VQA copies from the questions (`VQA.loadRes`), in its own keys.
VQA_HEAD = {
    "info": {
        "description": "Questions about rendered scenes, by xvlm-eval, in the format of VQA v2.",
        "version": "1.0",
        "year": 2026,
        "contributor": "xvlm-eval",
    },
    "license": {"name": "BSD-3-Clause", "url": "https://opensource.org/license/bsd-3-clause"},
}


def write_captions_and_questions(root: Path) -> None:
    """Write COCO's val2014 images, captions by the Karpathy split, and VQA's questions."""
    images: list[dict[str, Any]] = []
    with_answers: list[tuple[int, Scene]] = []
    for split, count in SCENES.items():
        for number in range(count):
            image_id = FIRST_IMAGE_ID["val2014"] + len(images)
            scene = evaluation_scene(f"coco:{split}:{number}")
            name = _write_coco_image(root, "val2014", image_id, scene)
            texts = captions(scene, seed=f"coco:{image_id}")
            images.append(
                _karpathy_entry(len(images), split, name, texts)
                | {"filepath": "val2014", "cocoid": image_id}
            )
            with_answers.append((image_id, scene))
    write_json(root / "coco" / "dataset_coco.json", {"dataset": "coco", "images": images})
    _write_questions(root / "vqa", "val2014", with_answers, hidden=False)
    without_answers = [
        (FIRST_IMAGE_ID["test2015"] + number, evaluation_scene(f"vqa:test:{number}"))
        for number in range(HIDDEN_SCENES)
    ]
    for image_id, scene in without_answers:
        _write_coco_image(root, "test2015", image_id, scene)
    _write_questions(root / "vqa", "test2015", without_answers, hidden=True)
    write_json(root / "vqa" / "answer_list.json", list(ANSWERS))


def write_flickr30k(root: Path) -> None:
    """Write Flickr30K's images and captions."""
    images: list[dict[str, Any]] = []
    for split, count in SCENES.items():
        for number in range(count):
            scene = evaluation_scene(f"flickr30k:{split}:{number}")
            name = f"{FIRST_FLICKR30K_ID + len(images)}.jpg"
            write_image(root / "images" / "flickr30k-images" / name, scene)
            texts = captions(scene, seed=f"flickr30k:{name}")
            images.append(_karpathy_entry(len(images), split, name, texts))
    write_json(
        root / "flickr30k" / "dataset_flickr30k.json", {"dataset": "flickr30k", "images": images}
    )


def write_nlvr2(root: Path) -> None:
    """Write pairs of images and statements about them, one example per line."""
    for split, count in SETS.items():
        entries: list[dict[str, str]] = []
        for number in range(count):
            name = f"{split}-{number}"
            pairs = [
                tuple(evaluation_scene(f"nlvr2:{split}:{number}:{pair}:{side}") for side in (0, 1))
                for pair in range(PAIRS)
            ]
            for pair, scenes in enumerate(pairs):
                for side, scene in enumerate(scenes):
                    file_name = f"{name}-{pair}-img{side}.png"
                    write_image(root / "images" / "nlvr2" / split / file_name, scene)
            entries += _examples(name, pairs, seed=f"nlvr2:{split}:{number}")
        path = root / "nlvr2" / f"{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")


def write_ovad(root: Path) -> None:
    """Write COCO's val2017 images and the attributes of every object in them."""
    listed = [
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
    for number in range(OVAD_SCENES):
        scene, image_id = evaluation_scene(f"ovad:{number}"), FIRST_IMAGE_ID["val2017"] + number
        name = _write_coco_image(root, "val2017", image_id, scene)
        images.append(
            {"id": image_id, "file_name": name, "width": scene.width, "height": scene.height}
        )
        for obj in scene.objects:
            x, y, w, h = obj.box
            boxes.append(
                {
                    "id": len(boxes) + 1,
                    "image_id": image_id,
                    "bbox": [x, y, w, h],
                    "area": float(w * h),
                    "iscrowd": 0,
                    "category_id": 1,
                    "att_vec": labels(scene, obj),
                }
            )
    write_json(
        root / "ovad" / "ovad2000.json",
        {"images": images, "attributes": listed, "annotations": boxes},
    )


def _write_coco_image(root: Path, folder: str, image_id: int, scene: Scene) -> str:
    """Write an image into one of COCO's folders and return its file name."""
    name = coco_name(folder, image_id)
    write_image(root / "images" / "coco" / folder / name, scene)
    return name


def _karpathy_entry(number: int, split: str, name: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return the entry of an image in the files of the Karpathy split."""
    sentences = [
        {"raw": text, "tokens": text.lower().rstrip(".").split(), "imgid": number} for text in texts
    ]
    return {"filename": name, "imgid": number, "split": split, "sentences": sentences}


def _write_questions(
    folder: Path, subtype: str, scenes: Sequence[tuple[int, Scene]], *, hidden: bool
) -> None:
    """Write the questions about scenes, and unless they are `hidden`, the answers."""
    numbered = [
        (image_id, image_id * 1000 + number, question)
        for image_id, scene in scenes
        for number, question in enumerate(questions(scene, seed=f"vqa:{image_id}"))
    ]
    head = {**VQA_HEAD, "data_type": "mscoco", "data_subtype": subtype}
    listed = [
        {"image_id": image_id, "question": question.text, "question_id": question_id}
        for image_id, question_id, question in numbered
    ]
    write_json(
        folder / f"v2_OpenEnded_mscoco_{subtype}_questions.json",
        {**head, "task_type": "Open-Ended", "questions": listed},
    )
    if not hidden:
        annotations = [_answer_entry(*entry) for entry in numbered]
        write_json(
            folder / f"v2_mscoco_{subtype}_annotations.json", {**head, "annotations": annotations}
        )


def _answer_entry(image_id: int, question_id: int, question: Question) -> dict[str, Any]:
    """Return the entry of a question in VQA's annotations."""
    return {
        "question_type": question.question_type,
        "multiple_choice_answer": question.answer,
        "answer_type": question.answer_type,
        "image_id": image_id,
        "question_id": question_id,
        "answers": [
            {"answer": text, "answer_confidence": "yes", "answer_id": number}
            for number, text in enumerate(question.answers, start=1)
        ],
    }


def _examples(
    name: str, pairs: Sequence[Sequence[Scene]], *, seed: str
) -> Iterator[dict[str, str]]:
    """Yield the examples of one set of NLVR2: every statement about every pair."""
    for sentence, (text, truths) in enumerate(_statements(pairs, seed=seed)):
        for pair, truth in enumerate(truths):
            yield {
                "identifier": f"{name}-{pair}-{sentence}",
                "sentence": text,
                "label": str(truth),
            }


def _statements(pairs: Sequence[Sequence[Scene]], *, seed: str) -> list[tuple[str, list[bool]]]:
    """Return two statements with their truth for each pair, true of two of the four if possible."""
    rng = Rng(f"statements:{seed}")
    truths_of: dict[str, list[bool]] = {}
    for attempt in range(2000):
        candidate = statement(rng)
        truths = [candidate.holds(left, right) for left, right in pairs]
        if sum(truths) == PAIRS // 2 or (attempt > 1000 and any(truths) and not all(truths)):
            truths_of.setdefault(candidate.text, truths)
        if len(truths_of) == 2:
            break
    return list(truths_of.items())
