"""Samples as the benchmarks have them, over any JPEG files: what a run does without annotations."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from harness.bench import inputs
from harness.bench.engine_calls import (
    EXPRESSIONS_PER_IMAGE,
    QUESTIONS_PER_IMAGE,
    SENTENCES,
    STATEMENTS_PER_PAIR,
)
from harness.bench.fixtures import Fixtures
from harness.images import Region, read_head
from harness.metrics.grounding import Box
from harness.registry import find_task
from harness.task import Sample, Task
from tasks import coco_caption, nlvr2, ovad, refcoco_plus, retrieval, vqav2

CAPTIONS = 5  # about each image of COCO and Flickr30K
REGIONS_PER_IMAGE = 7.15  # OVAD
REGION = 100  # pixels of a region's side


@dataclass(frozen=True)
class Pipeline:
    """A benchmark: its task, its kind of random model, and its samples over some image files.

    `files` is the number of its image files at its real size, of all splits in the paper's table.
    """

    benchmark: str
    kind: str
    files: int
    samples: Callable[[Sequence[Path], Fixtures], list[Sample]]

    @property
    def task(self) -> Task:
        """The task that predicts these samples."""
        return find_task(self.benchmark)


def _questions(files: Sequence[Path], fixtures: Fixtures) -> list[Sample]:
    image_of = _spread(len(files), QUESTIONS_PER_IMAGE)
    texts = fixtures.texts(len(image_of), inputs.VQA)
    choices = inputs.answers(fixtures.size.answers, fixtures.words)
    return [
        vqav2.Question(
            id=number,
            images=(files[image],),
            text=text,
            image=files[image].name,
            answers=(),
            answer_type="other",
            question_type="what",
            choices=choices,
        )
        for number, (image, text) in enumerate(zip(image_of, texts, strict=True))
    ]


def _statements(files: Sequence[Path], fixtures: Fixtures) -> list[Sample]:
    pair_of = _spread(len(files) // 2, STATEMENTS_PER_PAIR)
    texts = fixtures.texts(len(pair_of), inputs.NLVR2)
    return [
        nlvr2.Statement(
            id=number,
            images=(files[2 * pair], files[2 * pair + 1]),
            text=text,
            label=True,
            group=str(pair),
            image_set=str(pair),
            names=(files[2 * pair].name, files[2 * pair + 1].name),
        )
        for number, (pair, text) in enumerate(zip(pair_of, texts, strict=True))
    ]


def _images_to_describe(files: Sequence[Path], _: Fixtures) -> list[Sample]:
    return [
        coco_caption.Picture(number, (file,), (), file.name) for number, file in enumerate(files)
    ]


def _gallery(files: Sequence[Path], fixtures: Fixtures) -> list[Sample]:
    texts = iter(fixtures.texts(CAPTIONS * len(files), inputs.COCO))
    return [
        retrieval.Picture(number, (file,), tuple(islice(texts, CAPTIONS)), file.name)
        for number, file in enumerate(files)
    ]


def _expressions(files: Sequence[Path], fixtures: Fixtures) -> list[Sample]:
    image_of = _spread(len(files), EXPRESSIONS_PER_IMAGE)
    texts = fixtures.texts(len(image_of), inputs.REFCOCO)
    return [
        refcoco_plus.Expression(
            id=number,
            images=(files[image],),
            text=text,
            image=files[image].name,
            ref_id=number,
            image_id=image,
            box=Box(0, 0, 1, 1),
            width=inputs.PHOTO[0],
            height=inputs.PHOTO[1],
        )
        for number, (image, text) in enumerate(zip(image_of, texts, strict=True))
    ]


def _objects(files: Sequence[Path], fixtures: Fixtures) -> list[Sample]:
    sentences = tuple(fixtures.texts(SENTENCES, inputs.COCO))
    prompts = ovad.Prompts((), sentences, tuple(range(1, SENTENCES + 1)))
    return [
        ovad.Object(number, (Region(files[image], box),), (1,) * SENTENCES, prompts)
        for number, (image, box) in enumerate(_regions(files))
    ]


def _regions(files: Sequence[Path]) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Yield the number of an image and a box (left, top, width, height) that reaches into it."""
    rng = np.random.default_rng(0)
    sizes = [_size(file) for file in files]
    for image in _spread(len(files), REGIONS_PER_IMAGE):
        corner = rng.integers(0, np.subtract(inputs.PHOTO, REGION))
        left, top = np.minimum(corner, np.maximum(np.subtract(sizes[image], REGION), 0))
        yield image, (int(left), int(top), REGION, REGION)


def _size(file: Path) -> tuple[int, int]:
    """Return the width and height of an upright image; of a damaged one, that of most photos."""
    try:
        return read_head(file).upright
    except Exception:  # a damaged file can raise almost anything; decoding it reports it
        return inputs.PHOTO


def _spread(images: int, per_image: float) -> list[int]:
    """Return the image of each sample, in order."""
    return [int(number / per_image) for number in range(int(images * per_image))]


PIPELINES = (
    Pipeline("vqav2", "vqa", 81_434, _questions),
    Pipeline("nlvr2", "nlvr", 8_102 + 8_082, _statements),
    Pipeline("coco-caption", "captioning", 5_000, _images_to_describe),
    Pipeline("coco-retrieval", "retrieval", 5_000, _gallery),
    Pipeline("flickr30k-retrieval", "retrieval", 1_000, _gallery),
    Pipeline("refcoco+", "bbox", 3_000, _expressions),
    Pipeline("ovad", "crops", 2_000, _objects),
)
