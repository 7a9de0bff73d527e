"""The world of the embedded benchmark: deterministic, described truly, and never shown in training what is asked in evaluation."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from harness.shapes.benchmark import SPLITS, VERSION, embedded_data, write_benchmark
from harness.shapes.training.vocabulary import vocabulary
from harness.shapes.world.expressions import AFTER_NOUN, BEFORE_NOUN, NOUNS, expressions
from harness.shapes.world.render import render
from harness.shapes.world.scenes import COLOURS, evaluation_scene, training_scene
from tasks.refcoco_plus import RefCOCOPlus

SEEDS = [str(number) for number in range(300)]
# SHA-256 of RefCOCO+'s annotations in the embedded benchmark. Change them only together with VERSION.
ANNOTATIONS = {
    2: {
        "instances.json": "151132873c9f1f43dc474b8e34c5312aa9f03c152b6ceb988c9e8e074142e784",
        "refs(unc).p": "66f86237779c6158549d60da479e3b62311fd0440af01f265226759528dee297",
    }
}


def test_a_scene_follows_from_its_seed():
    assert training_scene("7") == training_scene("7") != training_scene("8")
    assert np.array_equal(render(training_scene("7")), render(training_scene("7")))


def test_what_is_evaluated_is_never_trained_on():
    def looks(scene):
        return tuple(sorted(thing.look for thing in scene.objects))

    evaluated = {looks(evaluation_scene(seed)) for seed in SEEDS}
    assert all(evaluation_scene(seed).held_out for seed in SEEDS)
    assert not evaluated & {looks(training_scene(seed)) for seed in SEEDS}
    assert not any(training_scene(seed).held_out for seed in SEEDS)


def test_objects_are_unlike_one_another_apart_and_inside_the_image():
    for seed in SEEDS:
        scene = evaluation_scene(seed)
        assert 2 <= len(scene.objects) <= 4
        assert len({thing.look for thing in scene.objects}) == len(scene.objects)
        covered = np.zeros((scene.height, scene.width), int)
        for thing in scene.objects:
            x, y, w, h = thing.box
            assert x >= 0 and y >= 0 and x + w <= scene.width and y + h <= scene.height
            covered[y : y + h, x : x + w] += 1
        assert covered.max() == 1


def test_an_object_is_drawn_in_its_box_and_reaches_its_four_sides():
    for seed in SEEDS[:60]:
        scene = evaluation_scene(seed)
        drawn = render(scene).astype(int)
        empty = render(type(scene)(**{**scene.__dict__, "objects": ()})).astype(int)
        rows, columns = np.nonzero(np.abs(drawn - empty).max(-1) > 8)
        boxes = np.array(
            [[x, y, x + w, y + h] for x, y, w, h in (thing.box for thing in scene.objects)]
        )
        inside = (
            (columns[:, None] >= boxes[:, 0])
            & (columns[:, None] < boxes[:, 2])
            & (rows[:, None] >= boxes[:, 1])
            & (rows[:, None] < boxes[:, 3])
        )
        assert inside.any(1).all()
        for number, (left, top, right, bottom) in enumerate(boxes):
            mine = inside[:, number]
            reached = [
                columns[mine].min() - left,
                right - 1 - columns[mine].max(),
                rows[mine].min() - top,
                bottom - 1 - rows[mine].max(),
            ]
            assert max(reached) <= 2, scene.objects[number]


WORDS = {word: ("shape", name) for name, words in NOUNS.items() for word in words}
WORDS |= {
    word: ("size" if name in ("small", "large") else "fill", name)
    for name, words in BEFORE_NOUN.items()
    for word in words
}
WORDS |= {colour: ("colour", colour) for colour in COLOURS}
PHRASES = {phrase: ("fill", name) for name, phrases in AFTER_NOUN.items() for phrase in phrases}


def meant(text):
    """What an expression says of an object, read back from its words."""
    said = dict(meaning for phrase, meaning in PHRASES.items() if text.endswith(phrase))
    return said | dict(WORDS[word] for word in text.split() if word in WORDS)


def test_an_expression_fits_its_object_and_no_other():
    for seed in SEEDS:
        scene = evaluation_scene(seed)
        for number, target in enumerate(scene.objects):
            said = expressions(scene, target, seed=f"{seed}:{number}")
            assert 2 <= len(said) == len(set(said)) <= 3
            for text in said:
                meaning = meant(text)
                assert meaning, text
                fitting = [
                    thing
                    for thing in scene.objects
                    if all(getattr(thing, name) == value for name, value in meaning.items())
                ]
                assert fitting == [target], text


def test_every_word_is_in_the_vocabulary():
    scenes = [training_scene(seed) for seed in SEEDS]
    said = [
        text
        for scene in scenes
        for thing in scene.objects
        for text in expressions(scene, thing, seed=repr(thing))
    ]
    words = {word for text in said for word in text.split()}
    assert words <= set(vocabulary())
    assert len(set(vocabulary())) == len(vocabulary())


def test_the_committed_vocabulary_is_the_one_of_the_words():
    from harness.shapes.training.train import WEIGHTS

    assert (WEIGHTS / "vocab.txt").read_text().splitlines() == vocabulary()


@pytest.fixture(scope="module")
def data():
    return embedded_data()


def test_the_benchmark_is_the_same_everywhere_or_has_another_version(data):
    written = {
        name: hashlib.sha256((data.root / "refcoco+" / name).read_bytes()).hexdigest()
        for name in ANNOTATIONS[VERSION]
    }
    assert written == ANNOTATIONS[VERSION]


def test_it_is_read_by_the_real_loader_and_large_enough_to_see_a_point(data):
    samples = {split: RefCOCOPlus().load(data, split) for split in RefCOCOPlus.splits}
    assert {split: len(rows) for split, rows in samples.items()} == {
        "val": 1056,
        "testA": 702,
        "testB": 696,
    }
    for rows in samples.values():
        for row in rows:
            with Image.open(row.images[0]) as image:
                assert image.size == (row.width, row.height)


def test_testA_refers_to_circles_and_testB_to_everything_else(data):
    instances = json.loads((data.root / "refcoco+" / "instances.json").read_text())
    kinds = {category["id"]: category["name"] for category in instances["categories"]}
    named = {tuple(box["bbox"]): kinds[box["category_id"]] for box in instances["annotations"]}
    shapes = {
        split: {named[tuple(row.box)] for row in RefCOCOPlus().load(data, split)}
        for split in RefCOCOPlus.splits
    }
    assert shapes["testA"] == {"circle"}
    assert "circle" not in shapes["testB"] and len(shapes["testB"]) == 5
    assert len(shapes["val"]) == 6


def test_images_are_not_all_square(data):
    assert len({(row.width, row.height) for row in RefCOCOPlus().load(data, "val")}) == 5


def test_it_is_written_anew_byte_for_byte(data, tmp_path):
    write_benchmark(tmp_path / "again")
    for path in data.root.rglob("*"):
        if path.is_file():
            assert (
                tmp_path / "again" / path.relative_to(data.root)
            ).read_bytes() == path.read_bytes()


def test_the_splits_share_no_scene():
    assert len({split.name for split in SPLITS}) == 3
    seeds = [f"refcoco+:{split.name}:{number}" for split in SPLITS for number in range(50)]
    assert len({repr(evaluation_scene(seed)) for seed in seeds}) == len(seeds)
