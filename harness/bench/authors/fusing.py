"""RefCOCO+, NLVR2 and VQA by the authors' `Grounding_bbox.py`, `NLVR.py` and `VQA.py`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.bench.authors.items import Images, Outcome, batches
from harness.bench.literal import answering, fusion_heads
from harness.bench.padding import pad
from harness.metrics.grounding import THRESHOLD
from harness.metrics.vqa import official
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.networks import answering_network, grounding_network, pair_network
from harness.models.xvlm.preprocessing import pre_caption, pre_question
from tasks.nlvr2 import Statement
from tasks.refcoco_plus import Expression
from tasks.vqav2 import SHORTLIST, Question

# `batch_size` of `Grounding_bbox.yaml` and `NLVR.yaml`, `batch_size_test` of `VQA_480.yaml`.
EXPRESSIONS, STATEMENTS, QUESTIONS = 20, 10, 32


def run_grounding(
    samples: Sequence[Expression], checkpoint: Checkpoint, tokenizer: Tokenizer, folder: Path
) -> Outcome:
    """Ground each expression in its own copy of the image."""
    network = grounding_network(checkpoint).eval()
    images = Images([sample.images for sample in samples], network.vision.resolution)
    boxes: dict[Any, Tensor] = {}
    for indices, (pixels,) in batches(images, EXPRESSIONS):
        texts = [tokenizer.ids(pre_caption(samples[index].text)) for index in indices]
        located = fusion_heads.ground(network, pixels, *pad(texts, filler=tokenizer.pad))
        boxes |= {samples[index].id: box for index, box in zip(indices, located, strict=True)}
    predictions = {id: box.tolist() for id, box in boxes.items()}  # before they are scaled in place
    overlaps = [_overlap(sample, boxes[sample.id]) for sample in samples]
    right_ones = [float(overlap) >= THRESHOLD for overlap in overlaps]
    return Outcome(predictions, {"accuracy": 100 * sum(right_ones) / len(right_ones)})


def _overlap(sample: Expression, box: Tensor) -> Any:
    """Return the IoU as `grounding_eval_bbox` and `computeIoU` do, on numbers of a tensor each."""
    box[0::2] *= sample.width
    box[1::2] *= sample.height
    box[0] -= box[2] / 2
    box[1] -= box[3] / 2
    true: tuple[Any, ...] = tuple(map(float, sample.box))
    left, top = max(true[0], box[0]), max(true[1], box[1])
    right = min(true[0] + true[2] - 1, box[0] + box[2] - 1)
    bottom = min(true[1] + true[3] - 1, box[1] + box[3] - 1)
    inside = left < right and top < bottom
    shared = (right - left + 1) * (bottom - top + 1) if inside else 0
    return float(shared) / (true[2] * true[3] + box[2] * box[3] - shared)


def run_pairs(
    samples: Sequence[Statement], checkpoint: Checkpoint, tokenizer: Tokenizer, folder: Path
) -> Outcome:
    """Judge each statement about its own copies of two images."""
    network = pair_network(checkpoint).eval()
    images = Images([sample.images for sample in samples], network.vision.resolution)
    verdicts: dict[Any, Any] = {}
    for indices, (left, right) in batches(images, STATEMENTS):
        texts = [tokenizer.ids(pre_caption(samples[index].text)) for index in indices]
        logits = fusion_heads.judge(network, left, right, *pad(texts, filler=tokenizer.pad))
        for index, row in zip(indices, logits.tolist(), strict=True):
            verdicts[samples[index].id] = {"answer": row[1] > row[0], "logits": row}
    right_ones = [verdicts[sample.id]["answer"] == sample.label for sample in samples]
    return Outcome(verdicts, {"accuracy": 100 * sum(right_ones) / len(right_ones)})


def run_answers(
    samples: Sequence[Question], checkpoint: Checkpoint, tokenizer: Tokenizer, folder: Path
) -> Outcome:
    """Answer each question about its own copy of the image, and score by the official rule."""
    network = answering_network(checkpoint).eval()
    choices = samples[0].choices
    ids = [[tokenizer.cls, *tokenizer.piece_ids(text), tokenizer.sep] for text in choices]
    listed = answering.Answers(*pad(ids, filler=tokenizer.pad))
    images = Images([sample.images for sample in samples], network.vision.resolution)
    answers: dict[Any, str] = {}
    for indices, (pixels,) in batches(images, QUESTIONS):
        texts = [tokenizer.ids(pre_question(samples[index].text)) for index in indices]
        question = pad(texts, filler=tokenizer.pad)
        states = answering.encode_questions(network, pixels, *question)
        ranking = answering.rank_answers(
            network,
            states,
            question.mask,
            listed,
            shortlist=min(SHORTLIST, len(choices)),
        )
        for index, answer in zip(indices, ranking.answers[:, 0].tolist(), strict=True):
            answers[samples[index].id] = choices[answer]
    scores = [official(answers[sample.id], sample.answers) for sample in samples]
    return Outcome(answers, {"accuracy": 100 * sum(scores) / len(scores)})
