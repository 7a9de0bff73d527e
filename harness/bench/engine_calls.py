"""The engine calls of the benchmarks, on batches as in a run: pixels and strings to predictions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.bench import inputs
from harness.bench.fixtures import Fixtures
from harness.engine.encoded_gallery import encode_gallery
from harness.engine.two_stage_retrieval import pair_scores, rerank_gallery
from harness.models.xvlm.adapters import (
    XVLMAnswerer,
    XVLMAttributeMatcher,
    XVLMCaptioner,
    XVLMGrounder,
    XVLMPairReasoner,
    XVLMRetriever,
)

QUESTIONS_PER_IMAGE = 5.5  # VQA test
EXPRESSIONS_PER_IMAGE = 7.2  # RefCOCO+
STATEMENTS_PER_PAIR = 1.72  # NLVR2
SENTENCES = 64  # compared with each region, encoded once


@dataclass(frozen=True)
class BatchSizes:
    """The items that are computed together.

    `samples` is the batch size of a run. In retrieval, `captions` are encoded together and scored
    against each of `reranked_images`. `matrix` is the side of the matrices that measure the limits
    of the device.
    """

    samples: int
    captions: int = 1280
    reranked_images: int = 8
    matrix: int = 8192


class EngineCall(NamedTuple):
    """A call of the engine that computes `unit_count` units, such as images or questions."""

    unit: str
    unit_count: int
    call: Callable[[], object]


def _encode_images(fixtures: Fixtures, sizes: BatchSizes) -> EngineCall:
    model: XVLMRetriever = fixtures.model("retrieval")
    batches = [_as_gallery(fixtures.pixels(sizes.samples))]
    return EngineCall("image", sizes.samples, lambda: encode_gallery(batches, model.read_images))


def _compare_crops(fixtures: Fixtures, sizes: BatchSizes) -> EngineCall:
    model: XVLMAttributeMatcher = fixtures.model("crops")
    pixels = fixtures.pixels(sizes.samples, fixtures.size.crop_side)
    sentences = fixtures.texts(SENTENCES, inputs.COCO)
    return EngineCall("crop", sizes.samples, lambda: model.similarity(pixels, sentences))


def _encode_texts(fixtures: Fixtures, sizes: BatchSizes) -> EngineCall:
    model: XVLMRetriever = fixtures.model("retrieval")
    captions = fixtures.texts(sizes.captions, inputs.COCO)
    return EngineCall("text", sizes.captions, lambda: model.encode_texts(model.token_ids(captions)))


def _score_pairs(fixtures: Fixtures, sizes: BatchSizes) -> EngineCall:
    model: XVLMRetriever = fixtures.model("retrieval")
    texts = model.encode_texts(model.token_ids(fixtures.texts(sizes.captions, inputs.COCO)))
    batches = [_as_gallery(fixtures.pixels(sizes.reranked_images))]
    images = encode_gallery(batches, model.read_images)

    def call() -> object:
        matches = rerank_gallery(
            images,
            texts.features,
            pair_scores(model, texts),
            ranking=model.ranking,
            shortlist=sizes.captions,
            wanted=range(sizes.reranked_images),
            together=model.images_at_a_time,
        )
        return list(matches)

    return EngineCall("pair", sizes.reranked_images * sizes.captions, call)


def _as_gallery(
    images: NDArray[np.uint8],
) -> tuple[Sequence[int], NDArray[np.uint8], NDArray[np.int64]]:
    return range(len(images)), images, np.arange(len(images))


def _answer_questions(fixtures: Fixtures, sizes: BatchSizes) -> EngineCall:
    model: XVLMAnswerer = fixtures.model("vqa")
    image_of = _spread(sizes.samples, QUESTIONS_PER_IMAGE)
    pixels = fixtures.pixels(image_of[-1] + 1, fixtures.size.vqa_side)
    questions = fixtures.texts(sizes.samples, inputs.VQA)
    answers = inputs.answers(fixtures.size.answers, fixtures.words)
    shortlist = fixtures.size.shortlist
    return EngineCall(
        "question",
        sizes.samples,
        lambda: model.answer(pixels, questions, image_of, answers=answers, shortlist=shortlist),
    )


def _ground_expressions(fixtures: Fixtures, sizes: BatchSizes) -> EngineCall:
    model: XVLMGrounder = fixtures.model("bbox")
    image_of = _spread(sizes.samples, EXPRESSIONS_PER_IMAGE)
    pixels = fixtures.pixels(image_of[-1] + 1)
    texts = fixtures.texts(sizes.samples, inputs.REFCOCO)
    return EngineCall("expression", sizes.samples, lambda: model.ground(pixels, texts, image_of))


def _judge_statements(fixtures: Fixtures, sizes: BatchSizes) -> EngineCall:
    model: XVLMPairReasoner = fixtures.model("nlvr")
    pair_of = _spread(sizes.samples, STATEMENTS_PER_PAIR)
    pairs = np.stack([2 * pair_of, 2 * pair_of + 1], axis=1)
    pixels = fixtures.pixels(2 * (pair_of[-1] + 1))
    texts = fixtures.texts(sizes.samples, inputs.NLVR2)
    return EngineCall("statement", sizes.samples, lambda: model.judge(pixels, texts, pairs))


def _caption_images(fixtures: Fixtures, sizes: BatchSizes) -> EngineCall:
    model: XVLMCaptioner = fixtures.model("captioning")
    pixels = fixtures.pixels(sizes.samples)
    return EngineCall("caption", sizes.samples, lambda: model.caption(pixels))


ENGINE_CALLS = (
    _encode_images,
    _compare_crops,
    _encode_texts,
    _score_pairs,
    _answer_questions,
    _ground_expressions,
    _judge_statements,
    _caption_images,
)


def _spread(texts: int, per_image: float) -> NDArray[np.int64]:
    """Return the image (or pair) of each text, in order, with `per_image` texts about each."""
    return (np.arange(texts) / per_image).astype(np.int64)
