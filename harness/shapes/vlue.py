"""Write VLUE's lists in X-VLM's flat formats, and images in folders named as MaRVL's are.

The lists spell names in decomposed characters, as VLUE's do; the folders on disk have composed
ones. One image is listed twice, as 37 of VLUE's are.
"""

import unicodedata
from pathlib import Path
from typing import Any

from harness.shapes.storage import write_image, write_json
from harness.shapes.world.expressions import expressions
from harness.shapes.world.questions import questions
from harness.shapes.world.scenes import Rng, Scene, evaluation_scene
from harness.shapes.world.sentences import captions
from harness.shapes.world.statements import statement

CONCEPTS = ("tr/images/1-Şekil", "zh/images/2-形状", "sw/images/3-Ng'ombe", "id/extra/4-Bentuk")
SCENES = 12  # of each concept
STATEMENTS = 24  # about neighbours of each concept


def write_vlue(root: Path) -> None:
    """Write the images of all concepts and the five lists about them."""
    scenes: list[tuple[str, Scene]] = []
    for concept in CONCEPTS:
        for number in range(SCENES):
            name = f"{concept}/{concept.rpartition('/')[2].partition('-')[0]}-{number}.jpg"
            scene = evaluation_scene(f"vlue:{len(scenes)}")
            write_image(root / "images" / "marvl" / unicodedata.normalize("NFC", name), scene)
            scenes.append((unicodedata.normalize("NFD", name), scene))
    folder, expressions_about = root / "vlue", _expressions(scenes)
    with_repeated = [*scenes, scenes[0]]
    listed = [
        {"image": name, "caption": captions(scene, seed=f"vlue:{number}")}
        for number, (name, scene) in enumerate(with_repeated)
    ]
    write_json(folder / "itr_vlue_test.json", listed)
    write_json(folder / "vqa_vlue_test.json", _questions(scenes))
    write_json(folder / "nlvr2_vlue_test.json", _statements(scenes))
    write_json(folder / "refcoco+_bbox100_vlue_test.json", expressions_about)
    for entry in expressions_about:
        del entry["dets"]
    write_json(folder / "refcoco+_vlue_test.json", expressions_about)


def _questions(scenes: list[tuple[str, Scene]]) -> list[dict[str, Any]]:
    """Return the questions about all scenes, each with its one true answer."""
    numbered = [
        (name, question)
        for number, (name, scene) in enumerate(scenes)
        for question in questions(scene, seed=f"vlue:{number}")
    ]
    return [
        {
            "question_id": number,
            "question": question.text,
            "image": name,
            "answer": question.answer,
        }
        for number, (name, question) in enumerate(numbered)
    ]


def _statements(scenes: list[tuple[str, Scene]]) -> list[dict[str, Any]]:
    """Return statements about pairs of neighbours, half of them true where that can be."""
    rng = Rng("statements:vlue")
    entries: list[dict[str, Any]] = []
    for first in range(0, len(scenes), SCENES):
        for number in range(STATEMENTS):
            left, right = (scenes[first + (number + side) % SCENES] for side in (0, 1))
            wanted = number % 2 == 0
            candidates = [statement(rng) for _ in range(20)]
            chosen = next(
                (each for each in candidates if each.holds(left[1], right[1]) == wanted),
                candidates[0],
            )
            entries.append(
                {
                    "sentence": chosen.text,
                    "images": [left[0], right[0]],
                    "label": str(chosen.holds(left[1], right[1])),
                }
            )
    return entries


def _expressions(scenes: list[tuple[str, Scene]]) -> list[dict[str, Any]]:
    """Return the expressions for every object, with all boxes of the scene as detections."""
    named = [
        (name, scene, obj, text)
        for name, scene in scenes
        for index, obj in enumerate(scene.objects)
        for text in expressions(scene, obj, seed=f"vlue:{name}:{index}")
    ]
    return [
        {
            "image": name,
            "text": text,
            "ref_id": number,
            "bbox": list(obj.box),
            "width": scene.width,
            "height": scene.height,
            "dets": [list(other.box) for other in scene.objects],
        }
        for number, (name, scene, obj, text) in enumerate(named)
    ]
