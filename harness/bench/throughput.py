"""How fast the engine is on batches as a run has them, and how near to what the device can do: multiply matrices, copy memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from harness.bench import inputs
from harness.bench.contest import timed
from harness.bench.lab import Lab
from harness.bench.memory import peak_of
from harness.engine.device import Device
from harness.engine.two_stage_retrieval import encode_gallery, rerank_gallery
from harness.models.xvlm.answerer import XVLMAnswerer
from harness.models.xvlm.captioner import XVLMCaptioner
from harness.models.xvlm.grounder import XVLMGrounder
from harness.models.xvlm.matcher import XVLMAttributeMatcher
from harness.models.xvlm.reasoner import XVLMPairReasoner
from harness.models.xvlm.retriever import XVLMRetriever

QUESTIONS, EXPRESSIONS, STATEMENTS = (
    5.5,
    7.2,
    1.72,
)  # about an image of VQA's test and of RefCOCO+, about a pair of NLVR2
PROMPTS = 64  # sentences that crops are compared with, read before
TURNS = 3  # of which the median counts


@dataclass(frozen=True)
class Batch:
    """How much is computed together: `samples` as in a run; `captions` read, and beside each of `looked_at` images; and `matrix`, the side
    of what is multiplied to know the limits.
    """

    samples: int
    captions: int = 1280
    looked_at: int = 8
    matrix: int = 8192


class Work(NamedTuple):
    """A call of the engine, and the number of what it computes."""

    what: str
    number: int
    call: Callable[[], object]


@dataclass(frozen=True)
class Rate:
    """How many of what a second; that as a share of the device's best at matrix products, and at copying; peak memory in bytes."""

    what: str
    per_second: float
    compute_share: float
    traffic_share: float
    peak: int | None


@dataclass(frozen=True)
class Limits:
    """What the device does at best: floating-point operations of a matrix product, and bytes read and written by a copy, a second."""

    flops: float
    bytes: float


def limits(device: Device, side: int) -> Limits:
    """Measure them on square matrices."""
    dtype = device.storage_dtype
    left, right = (torch.randn(side, side, device=device.torch).to(dtype) for _ in range(2))
    multiplied, copied = (
        _seconds(lambda: left @ right, device),
        _seconds(lambda: right.copy_(left), device),
    )
    return Limits(2 * side**3 / multiplied, 2 * left.nbytes / copied)


def rates(lab: Lab, batch: Batch, best_case: Limits) -> list[Rate]:
    """Measure the engine at everything that the benchmarks ask of it."""
    found = []
    for work in (_images, _crops, _texts, _pairs, _questions, _expressions, _statements, _captions):
        with lab.device.computing():
            what, number, call = work(lab, batch)
        seconds = _seconds(call, lab.device)
        peak = peak_of(partial(timed, call, lab.device), lab.device)
        with FlopCounterMode(display=False) as counter, _Traffic() as traffic:
            timed(call, lab.device)
        compute = counter.get_total_flops() / seconds / best_case.flops
        found.append(
            Rate(what, number / seconds, compute, traffic.bytes / seconds / best_case.bytes, peak)
        )
    return found


def _seconds(call: Callable[[], object], device: Device) -> float:
    """Return what a call takes, not counting the first."""
    timed(call, device)
    return median(timed(call, device).seconds for _ in range(TURNS))


class _Traffic(TorchDispatchMode):
    """Count the bytes that operations read and write; views of a tensor do neither."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if not function.is_view:
            self.bytes += sum(
                tensor.nbytes for tensor in (*args, result) if isinstance(tensor, Tensor)
            )
        return result


def _images(lab: Lab, batch: Batch) -> Work:
    model: XVLMRetriever = lab.model("retrieval")
    pixels = lab.pixels(batch.samples)
    return Work(
        "image",
        batch.samples,
        lambda: encode_gallery([(range(batch.samples), pixels)], model.encode_prepared, lab.device),
    )


def _texts(lab: Lab, batch: Batch) -> Work:
    model: XVLMRetriever = lab.model("retrieval")
    captions = lab.texts(batch.captions, inputs.COCO)
    return Work("text", batch.captions, lambda: model.encode_texts(model.token_ids(captions)))


def _pairs(lab: Lab, batch: Batch) -> Work:
    model: XVLMRetriever = lab.model("retrieval")
    read, numbers = (
        model.encode_texts(model.token_ids(lab.texts(batch.captions, inputs.COCO))),
        range(batch.looked_at),
    )
    seen = encode_gallery(
        [(numbers, lab.pixels(batch.looked_at))], model.encode_prepared, lab.device
    )
    return Work(
        "pair",
        batch.looked_at * batch.captions,
        lambda: list(
            rerank_gallery(
                seen, read, model.rerank, lab.device, shortlist=batch.captions, wanted=numbers
            )
        ),
    )


def _crops(lab: Lab, batch: Batch) -> Work:
    model: XVLMAttributeMatcher = lab.model("crops")
    pixels, prompts = lab.pixels(batch.samples, model.runtime.side), lab.texts(PROMPTS, inputs.COCO)
    return Work("crop", batch.samples, lambda: model.similarity(pixels, prompts))


def _questions(lab: Lab, batch: Batch) -> Work:
    model: XVLMAnswerer = lab.model("vqa")
    image_of, listed = (
        _spread(batch.samples, QUESTIONS),
        inputs.answers(lab.size.answers, lab.words),
    )
    pixels, questions = (
        lab.pixels(image_of[-1] + 1, lab.size.side_vqa),
        lab.texts(batch.samples, inputs.VQA),
    )
    return Work(
        "question",
        batch.samples,
        lambda: model.answer(
            pixels, questions, image_of, answers=listed, shortlist=lab.size.shortlist
        ),
    )


def _expressions(lab: Lab, batch: Batch) -> Work:
    model: XVLMGrounder = lab.model("bbox")
    image_of, texts = _spread(batch.samples, EXPRESSIONS), lab.texts(batch.samples, inputs.REFCOCO)
    pixels = lab.pixels(image_of[-1] + 1)
    return Work("expression", batch.samples, lambda: model.ground(pixels, texts, image_of))


def _statements(lab: Lab, batch: Batch) -> Work:
    model: XVLMPairReasoner = lab.model("nlvr")
    pair_of, texts = _spread(batch.samples, STATEMENTS), lab.texts(batch.samples, inputs.NLVR2)
    pixels, images_of = (
        lab.pixels(2 * (pair_of[-1] + 1)),
        np.stack([2 * pair_of, 2 * pair_of + 1], axis=1),
    )
    return Work("statement", batch.samples, lambda: model.judge(pixels, texts, images_of))


def _captions(lab: Lab, batch: Batch) -> Work:
    model: XVLMCaptioner = lab.model("captioning")
    pixels = lab.pixels(batch.samples)
    return Work("caption", batch.samples, lambda: model.caption(pixels))


def _spread(readers: int, of_each: float) -> NDArray[np.int64]:
    """Return at which of the memories each of the readers looks, in order, where so many look at each."""
    return (np.arange(readers) / of_each).astype(np.int64)
