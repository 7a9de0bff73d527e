"""Scenes of the embedded benchmark: deterministic, described truly, disjoint from training."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from harness.formats.folder import MARKER
from harness.shapes import benchmark
from harness.shapes.benchmark import VERSION, embedded_data
from harness.shapes.refcoco_plus import SPLITS
from harness.shapes.training.vocabulary import vocabulary
from harness.shapes.world.expressions import AFTER_NOUN, BEFORE_NOUN, NOUNS, expressions
from harness.shapes.world.render import render
from harness.shapes.world.scenes import COLOURS, evaluation_scene, training_scene
from tasks.refcoco_plus import RefCOCOPlus

SEEDS = [str(number) for number in range(300)]
# SHA-256 of the annotation files. Change them only together with VERSION.
ANNOTATIONS = {
    4: """
a15fd5cf356ed946f924d5cf183ff338823f07cb76f7bb544d0f1cbea2473684  coco/dataset_coco.json
cd72c1b6bb2ba8457c7dd3bd2b5bc02aa7a219c78a2c70ae88110bf76be33f60  flickr30k/dataset_flickr30k.json
44de88f55727613785bb38014d9c4a9878d8b1c00f671ff7273634c0a5398d69  nlvr2/dev.json
7133d44cafe0a4b06d04f27779310d10d53798271410337445932c3ef6740d7d  nlvr2/test1.json
36dedf5b396c029768e750f62d5272b2d0f5e935b38c054bd6f5d1e6c32943a1  ovad/ovad2000.json
dcc84f6afd3247c8be6cd7c6c6c712effc4c0412deb1a60d98255fea9bd63337  refcoco+/dets.json
151132873c9f1f43dc474b8e34c5312aa9f03c152b6ceb988c9e8e074142e784  refcoco+/instances.json
66f86237779c6158549d60da479e3b62311fd0440af01f265226759528dee297  refcoco+/refs(unc).p
151132873c9f1f43dc474b8e34c5312aa9f03c152b6ceb988c9e8e074142e784  refcoco/instances.json
876a16947f87cf63a6c400afafe3ba14000a848e3ac95df33c431cfaa1355ac9  refcoco/refs(unc).p
151132873c9f1f43dc474b8e34c5312aa9f03c152b6ceb988c9e8e074142e784  refcocog/instances.json
4c7f6bf8bf1329d4c168685d8a6328a7542ae1df6f5476886906e99ea75b9152  refcocog/refs(google).p
0327119241a2d2e8f7b633ead9d34afe659bf194c5904c37eaa486f54552592d  refcocog/refs(umd).p
b37c16fcca0bcbe8837519658a0c65c4aa474fd855982ec0c16d066561452e47  vlue/itr_vlue_test.json
b01fc9dd49728503ccea9c31a03429dcd17fbe8359f2270d5b10236afefd6141  vlue/nlvr2_vlue_test.json
0a71621acb872268e9a6d50103617b1526949c707d4445eb8cd7bfd29af1bde7  \
vlue/refcoco+_bbox100_vlue_test.json
833575ae321b67b7512ed06eb5cb36ec084c7ada315820c70a2e5d60a06c90b1  vlue/refcoco+_vlue_test.json
23ff96a7567040ffdafd1e2795edd346986049c12a1e31cc5b6fcfa6131b7558  vlue/vqa_vlue_test.json
4835b6c88914459df2f429565682b1ef1aedd4454bc8370b768d42ac47c3b2c8  vqa/answer_list.json
bfcf32d8ca07c03d654e3f700b113e957ee30f3dc03befd9c546c6b22caa61f0  \
vqa/v2_OpenEnded_mscoco_test2015_questions.json
8493428b79ebc55796699052409d70925746d9fa663e073c5fe126d4abf3274a  \
vqa/v2_OpenEnded_mscoco_val2014_questions.json
abf578adfe0230958c152369421113e32973f4b2e4a88186983831f9512118b3  \
vqa/v2_mscoco_val2014_annotations.json
"""
}
# SHA-256 of the pixels of 60 evaluation scenes; JPEG files depend on the version of the encoder.
PIXELS = {4: "210822f260c96b91df9771c1bc3874a32ad16b5c86fc9083792d3cff6655e7fa"}


def test_a_scene_follows_from_its_seed():
    assert training_scene("7") == training_scene("7") != training_scene("8")
    assert np.array_equal(render(training_scene("7")), render(training_scene("7")))


def test_what_is_evaluated_is_never_trained_on():
    def appearances(scene):
        return tuple(sorted(obj.appearance for obj in scene.objects))

    evaluated = {appearances(evaluation_scene(seed)) for seed in SEEDS}
    assert all(evaluation_scene(seed).held_out for seed in SEEDS)
    assert not evaluated & {appearances(training_scene(seed)) for seed in SEEDS}
    assert not any(training_scene(seed).held_out for seed in SEEDS)


def test_objects_are_unlike_one_another_apart_and_inside_the_image():
    for seed in SEEDS:
        scene = evaluation_scene(seed)
        assert 2 <= len(scene.objects) <= 4
        assert len({obj.appearance for obj in scene.objects}) == len(scene.objects)
        covered = np.zeros((scene.height, scene.width), int)
        for obj in scene.objects:
            x, y, w, h = obj.box
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
            [[x, y, x + w, y + h] for x, y, w, h in (obj.box for obj in scene.objects)]
        )
        inside = (
            (columns[:, None] >= boxes[:, 0])
            & (columns[:, None] < boxes[:, 2])
            & (rows[:, None] >= boxes[:, 1])
            & (rows[:, None] < boxes[:, 3])
        )
        assert inside.any(1).all()
        for number, (left, top, right, bottom) in enumerate(boxes):
            own = inside[:, number]
            margins = [
                columns[own].min() - left,
                right - 1 - columns[own].max(),
                rows[own].min() - top,
                bottom - 1 - rows[own].max(),
            ]
            assert max(margins) <= 2, scene.objects[number]


WORDS = {word: ("shape", name) for name, words in NOUNS.items() for word in words}
WORDS |= {
    word: ("size" if name in ("small", "large") else "fill", name)
    for name, words in BEFORE_NOUN.items()
    for word in words
}
WORDS |= {colour: ("colour", colour) for colour in COLOURS}
PHRASES = {phrase: ("fill", name) for name, phrases in AFTER_NOUN.items() for phrase in phrases}


def attributes_in(text):
    """The attributes that an expression names, parsed from its words."""
    after_noun = dict(meaning for phrase, meaning in PHRASES.items() if text.endswith(phrase))
    return after_noun | dict(WORDS[word] for word in text.split() if word in WORDS)


def test_an_expression_fits_its_object_and_no_other():
    for seed in SEEDS:
        scene = evaluation_scene(seed)
        for number, target in enumerate(scene.objects):
            texts = expressions(scene, target, seed=f"{seed}:{number}")
            assert 2 <= len(texts) == len(set(texts)) <= 3
            for text in texts:
                named = attributes_in(text)
                assert named, text
                matching = [
                    obj
                    for obj in scene.objects
                    if all(getattr(obj, name) == value for name, value in named.items())
                ]
                assert matching == [target], text


def test_every_word_of_an_expression_is_in_the_vocabulary():
    scenes = [training_scene(seed) for seed in SEEDS]
    texts = [
        text
        for scene in scenes
        for obj in scene.objects
        for text in expressions(scene, obj, seed=repr(obj))
    ]
    words = {word for text in texts for word in text.split()}
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
        path.relative_to(data.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in data.root.rglob("*")
        if path.is_file() and path.suffix != ".jpg" and path.parent.parent.name != "nlvr2"
    }
    del written[MARKER]
    expected = [line.split("  ") for line in ANNOTATIONS[VERSION].split("\n") if line]
    assert written == {name: digest for digest, name in expected}


def test_the_pixels_are_the_same_everywhere_or_have_another_version():
    pixels = hashlib.sha256()
    for seed in SEEDS[:60]:
        pixels.update(render(evaluation_scene(seed)).tobytes())
    assert pixels.hexdigest() == PIXELS[VERSION]


def test_it_is_read_by_the_real_loader_and_has_enough_samples_to_see_one_percent(data):
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


# The writers that take two thirds of the time, and the folders that each writes.
LONGEST = {
    "write_refcoco_plus": ("refcoco", "refcoco+", "refcocog", "images/coco/train2014"),
    "write_nlvr2": ("nlvr2", "images/nlvr2"),
}


def test_a_folder_that_lacks_a_file_is_written_anew_byte_for_byte(data, tmp_path, monkeypatch):
    """At night by every writer; else the two longest, which draw by the same functions, copy."""
    for name, folders in LONGEST.items() if "XVLM_EVAL_NIGHTLY" not in os.environ else ():

        def copy(root, folders=folders):
            for folder in folders:
                shutil.copytree(data.root / folder, root / folder)

        monkeypatch.setattr(benchmark, name, copy)
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path))
    root = tmp_path / "shapes" / f"v{VERSION}"
    shutil.copytree(data.root, root)
    (root / "vqa" / "answer_list.json").unlink()
    assert embedded_data().root == root
    for path in data.root.rglob("*"):
        if path.is_file():
            assert (root / path.relative_to(data.root)).read_bytes() == path.read_bytes()


def test_the_splits_share_no_scene():
    assert len({split.name for split in SPLITS}) == 3
    seeds = [f"refcoco+:{split.name}:{number}" for split in SPLITS for number in range(50)]
    assert len({repr(evaluation_scene(seed)) for seed in seeds}) == len(seeds)
