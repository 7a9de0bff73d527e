"""How fast the engine is on batches as a run has them, and how near to what the device can do: multiply matrices, copy memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from harness.bench import inputs
from harness.bench.contest import timed
from harness.bench.lab import Lab
from harness.bench.memory import peak_of
from harness.inference.device import Device
from harness.models.xvlm.answerer import best
from harness.models.xvlm.captioner import BEAMS
from harness.models.xvlm.retriever import XVLMRetriever

QUESTIONS, EXPRESSIONS, STATEMENTS = 5.5, 7.2, 1.72  # about an image of VQA's test and of RefCOCO+, about a pair of NLVR2
TURNS = 5  # of which the fastest counts: nothing but the machine makes one slower


@dataclass(frozen=True)
class Batch:
    """How much is computed together: `images`, and `captions` read or beside one image; and the side of the `matrix` that is multiplied."""

    images: int = 32
    captions: int = 1024
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
    dtype = device.kept
    left, right = (torch.randn(side, side, device=device.torch).to(dtype) for _ in range(2))
    multiplied = min(timed(lambda: left @ right, device).seconds for _ in range(TURNS))
    copied = min(timed(lambda: right.copy_(left), device).seconds for _ in range(TURNS))
    return Limits(2 * side**3 / multiplied, 2 * left.nbytes / copied)


def rates(lab: Lab, batch: Batch, best_case: Limits) -> list[Rate]:
    """Measure the engine at everything that the benchmarks ask of it."""
    found = []
    for work in (_images, _crops, _texts, _pairs, _questions, _expressions, _statements, _captions):
        with lab.device.computing():
            what, number, call = work(lab, batch)
        timed(call, lab.device)
        seconds = min(timed(call, lab.device).seconds for _ in range(TURNS))
        peak = peak_of(partial(timed, call, lab.device), lab.device)
        with FlopCounterMode(display=False) as counter, _Traffic() as traffic:
            timed(call, lab.device)
        compute = counter.get_total_flops() / seconds / best_case.flops
        found.append(Rate(what, number / seconds, compute, traffic.bytes / seconds / best_case.bytes, peak))
    return found


class _Traffic(TorchDispatchMode):
    """Count the bytes that operations read and write; views of a tensor do neither."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if not function.is_view:
            self.bytes += sum(tensor.nbytes for tensor in (*args, result) if isinstance(tensor, Tensor))
        return result


def _images(lab: Lab, batch: Batch) -> Work:
    model: XVLMRetriever = lab.model("retrieval")
    images = lab.images(batch.images)
    return Work("image", batch.images, lambda: model.image_tokens(images))


def _texts(lab: Lab, batch: Batch) -> Work:
    model: XVLMRetriever = lab.model("retrieval")
    ids = lab.captions(model, batch.captions)
    return Work("text", batch.captions, lambda: model.read(ids))


def _pairs(lab: Lab, batch: Batch) -> Work:
    model: XVLMRetriever = lab.model("retrieval")
    read, tokens = model.read(lab.captions(model, batch.captions)), model.image_tokens(lab.images(1))[0]
    everything = torch.arange(batch.captions)
    return Work("pair", batch.captions, lambda: model.match(tokens.to(lab.device.kept), read, everything))


def _crops(lab: Lab, batch: Batch) -> Work:
    model: XVLMRetriever = lab.model("crops")
    images = lab.images(batch.images, model.inputs.side)
    return Work("crop", batch.images, lambda: model.image_tokens(images))


def _questions(lab: Lab, batch: Batch) -> Work:
    model = lab.model("vqa")
    images, image_of = lab.images(batch.images, lab.size.side_vqa), _spread(batch.images, QUESTIONS)
    questions, tree = lab.texts(len(image_of), inputs.VQA), model.answer_tree(inputs.answers(lab.size.answers, lab.words))

    def call() -> Tensor:
        considered = model.consider(images, questions, image_of)
        return best(model.network.text_decoder, considered, tree, shortlist=lab.size.shortlist)

    return Work("question", len(questions), call)


def _expressions(lab: Lab, batch: Batch) -> Work:
    model = lab.model("bbox")
    images, image_of = lab.images(batch.images), _spread(batch.images, EXPRESSIONS)
    texts = lab.texts(len(image_of), inputs.REFCOCO)
    return Work("expression", len(texts), lambda: model.locate(images, texts, image_of))


def _statements(lab: Lab, batch: Batch) -> Work:
    model = lab.model("nlvr")
    images, pair_of = lab.images(2 * batch.images), _spread(batch.images, STATEMENTS)
    texts, pairs = lab.texts(len(pair_of), inputs.NLVR2), np.stack([2 * pair_of, 2 * pair_of + 1], axis=1)
    return Work("statement", len(texts), lambda: model.logits(images, texts, pairs))


def _captions(lab: Lab, batch: Batch) -> Work:
    model = lab.model("captioning")
    images = lab.images(batch.images)
    return Work("caption", batch.images, lambda: model.search(images, BEAMS))


def _spread(memories: int, readers: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return which of the memories each of `readers` times as many readers looks at."""
    return np.sort(np.arange(round(memories * readers)) % memories)
