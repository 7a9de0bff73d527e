"""Retrieval by the authors' `Retrieval.py`, and OVAD by the benchmark's scripts for X-VLM."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from harness.bench.authors.items import BILINEAR, Images, Outcome, batches
from harness.bench.literal import retrieval
from harness.bench.literal.bert import encode_text
from harness.bench.literal.swin import encode
from harness.bench.padding import pad
from harness.images import Region
from harness.metrics.attributes import average_precisions, chance_of_groups, chances, map_of_groups
from harness.metrics.retrieval import ranks, recalls
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.networks import retrieval_network
from harness.models.xvlm.preprocessing import pre_caption
from tasks.ovad import Object
from tasks.retrieval import Flickr30KRetrieval, Picture

TOKENS = 40  # `max_tokens` of `Retrieval_flickr.yaml`, to which all captions are padded
BOXES, SENTENCE_TOKENS = 50, 30  # batch size of `ova_xvlm.py`, and length of padded sentences


def run_retrieval(
    samples: Sequence[Picture], checkpoint: Checkpoint, tokenizer: Tokenizer, folder: Path
) -> Outcome:
    """Compare all images and texts, re-rank the shortlists, and compute recalls; no predictions."""
    network = retrieval_network(checkpoint).eval()
    texts = [pre_caption(text) for sample in samples for text in sample.captions]
    tokens = [tokenizer.ids(text, max_tokens=TOKENS) for text in texts]
    ids, mask = pad(tokens, length=TOKENS, filler=tokenizer.pad)
    images = Images([sample.images for sample in samples], network.vision.resolution)
    pixels = [batch for _, (batch,) in batches(images, retrieval.IMAGE_BATCH)]
    scores = retrieval.evaluate(
        network, torch.cat(pixels), ids, mask, shortlist=Flickr30KRetrieval.shortlist
    )
    image_of = [image for image, sample in enumerate(samples) for _ in sample.captions]
    own: list[list[int]] = [[] for _ in samples]
    for text, image in enumerate(image_of):
        own[image].append(text)
    i2t = ranks(scores.i2t.numpy(), own)
    t2i = ranks(scores.t2i.numpy(), [[image] for image in image_of])
    return Outcome({}, {**recalls(i2t, prefix="i2t"), **recalls(t2i, prefix="t2i")})


def run_attributes(
    samples: Sequence[Object], checkpoint: Checkpoint, tokenizer: Tokenizer, folder: Path
) -> Outcome:
    """Cut boxes into files of their own, score all attributes of each, and compute the mean AP."""
    network = retrieval_network(checkpoint).eval()
    prompts = samples[0].prompts
    crops = cut_boxes([sample.images[0] for sample in samples], folder)
    tokens = [tokenizer.ids(text, max_tokens=SENTENCE_TOKENS) for text in prompts.sentences]
    ids, mask = pad(tokens, length=SENTENCE_TOKENS, filler=tokenizer.pad)
    states = encode_text(network.text_encoder, ids, mask)
    sentences = F.normalize(network.text_proj(states[:, 0]), dim=-1)
    images = Images([[crop] for crop in crops], network.vision.resolution, BILINEAR)
    rows = [
        _attribute_scores(network, pixels, sentences, prompts.ends)
        for _, (pixels,) in batches(images, BOXES)
    ]
    scores = torch.cat(rows).numpy()
    labels = np.array([sample.labels for sample in samples], dtype=np.int8)
    metrics = {
        **map_of_groups(average_precisions(scores, labels), prompts.attributes),
        **chance_of_groups(chances(labels), prompts.attributes),
    }
    predictions = {sample.id: row for sample, row in zip(samples, scores.tolist(), strict=True)}
    return Outcome(predictions, metrics)


def _attribute_scores(
    network: Any, pixels: Tensor, sentences: Tensor, ends: Sequence[int]
) -> Tensor:
    """Return the mean cosine [N, A] of each image and the sentences of each attribute."""
    tokens = encode(network.vision_encoder, network.architecture.vision, pixels)
    similarity = F.normalize(network.vision_proj(tokens[:, 0]), dim=-1) @ sentences.t()
    starts = (0, *ends[:-1])
    groups = [similarity[:, start:end].mean(1) for start, end in zip(starts, ends, strict=True)]
    return torch.stack(groups, dim=1)


def cut_boxes(regions: Sequence[Any], folder: Path) -> list[Path]:
    """Write each box as a PNG file, as `extract_obj_boxes.py`, which reads an image for each box.

    Source: OVAD-Benchmark/ovad-benchmark-code. It decodes and encodes by OpenCV, here Pillow does.
    """
    paths: list[Path] = []
    for number, region in enumerate(regions):
        assert isinstance(region, Region)
        left, top, width, height = region.box
        with Image.open(region.path) as image:
            crop = image.convert("RGB").crop((left, top, left + width, top + height))
        paths.append(folder / f"{number}.png")
        crop.save(paths[-1], compress_level=1)  # OpenCV's default
    return paths
