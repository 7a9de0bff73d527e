"""Captions by the authors' `Captioning.py`, and their scoring by pycocoevalcap, as they call it."""

import gc
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from harness.bench.authors.items import Images, Outcome, batches
from harness.bench.literal import captioning
from harness.metrics.java import java_environment
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.adapters import BEAMS, PROMPT
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.networks import captioning_network
from tasks.coco_caption import Picture

BATCH = 32  # `batch_size_test` of `Captioning.yaml`


def predict_captions(
    samples: Sequence[Picture], checkpoint: Checkpoint, tokenizer: Tokenizer
) -> dict[Any, str]:
    """Return the caption of each image."""
    network = captioning_network(checkpoint).eval()
    prompt = [tokenizer.cls, *tokenizer.piece_ids(PROMPT)]
    images = Images([sample.images for sample in samples], network.vision.resolution)
    captions: dict[Any, str] = {}
    for indices, (pixels,) in batches(images, BATCH):
        texts = captioning.caption(network, pixels, prompt=prompt, end=tokenizer.sep, beams=BEAMS)
        for index, text in zip(indices, texts, strict=True):
            captions[samples[index].id] = tokenizer.text(text.tokens)[len(PROMPT) :]
    return captions


def run_captions(
    samples: Sequence[Picture], checkpoint: Checkpoint, tokenizer: Tokenizer, folder: Path
) -> Outcome:
    """Caption and score."""
    captions = predict_captions(samples, checkpoint, tokenizer)
    return Outcome(captions, score_captions(samples, captions, folder))


def score_captions(
    samples: Sequence[Picture], captions: Mapping[Any, str], folder: Path
) -> dict[str, float]:
    """Score captions from files, by `COCOEvalCap.evaluate` without SPICE, whose models are large.

    The truths are in COCO's format, as the authors' `coco_karpathy_test_gt.json`.
    """
    texts = [(sample.id, text) for sample in samples for text in sample.captions]
    truths = {
        "images": [{"id": sample.id} for sample in samples],
        "annotations": [
            {"id": number, "image_id": image, "caption": text}
            for number, (image, text) in enumerate(texts)
        ],
    }
    results = [{"image_id": image, "caption": text} for image, text in captions.items()]
    (folder / "truths.json").write_text(json.dumps(truths))
    (folder / "results.json").write_text(json.dumps(results))
    # Java as a user has it: none of the options that this project gives it.
    os.environ |= {"PATH": java_environment()["PATH"], "LC_ALL": "C"}
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        return _evaluate(folder)


def _evaluate(folder: Path) -> dict[str, float]:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
    from pycocotools.coco import COCO

    coco = COCO(str(folder / "truths.json"))
    results = coco.loadRes(str(folder / "results.json"))
    images, tokenizer = coco.getImgIds(), PTBTokenizer()
    truths = tokenizer.tokenize({image: coco.imgToAnns[image] for image in images})
    captions = tokenizer.tokenize({image: results.imgToAnns[image] for image in images})
    metrics: dict[str, float] = {}
    for scorer, names in (
        (Bleu(4), ["bleu1", "bleu2", "bleu3", "bleu4"]),
        (Meteor(), ["meteor"]),
        (Rouge(), ["rouge_l"]),
        (Cider(), ["cider"]),
    ):
        scores, _ = scorer.compute_score(truths, captions)
        totals = scores if len(names) > 1 else [scores]
        metrics |= {name: 100 * float(total) for name, total in zip(names, totals, strict=True)}
    del scorer
    gc.collect()  # ends METEOR, whose time counts from then on
    return metrics
