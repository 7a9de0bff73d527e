"""Retrieval: text and image encoding, re-ranking, and all of it end to end."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.bench import inputs
from harness.bench.agreement import compare_numbers, compare_rankings
from harness.bench.comparison import Comparison
from harness.bench.fixtures import Fixtures
from harness.bench.literal import retrieval
from harness.bench.literal.swin import encode
from harness.capabilities import Matches
from harness.engine.device import Device
from harness.engine.encoded_gallery import encode_gallery
from harness.engine.two_stage_retrieval import pair_scores, rerank_gallery
from harness.models.xvlm.adapters import XVLMRetriever
from harness.models.xvlm.heads import RetrievalNetwork


def prepare_reranking(fixtures: Fixtures) -> Comparison[Tensor]:
    """Re-rank 128 captions of one image; texts and image are encoded before."""
    model, network = _models(fixtures)
    ids = model.token_ids(fixtures.texts(128, inputs.COCO))
    padded = fixtures.pad(ids, length=model.rule.max_tokens or 0)
    with Device(fixtures.device.torch, "float32").computing():
        image = encode(network.vision_encoder, network.architecture.vision, fixtures.images(1))[0]
        literal_texts = retrieval.encode_texts(network, padded.ids, padded.mask)
    with fixtures.device.computing():
        texts = model.encode_texts(ids)
    stored_image, candidates = image.to(fixtures.device.storage_dtype), torch.arange(len(ids))
    return Comparison(
        engine=lambda: model.rerank(stored_image, texts, candidates)[None],
        literal=lambda: retrieval.rerank(network, image, literal_texts, candidates)[None, :, 1],
        compare=compare_rankings,
    )


def prepare_retrieval(fixtures: Fixtures) -> Comparison[Tensor]:
    """Compare 6 images and 60 captions, from pixels and tokens to scores; shortlists of 6."""
    model, network = _models(fixtures)
    ids = model.token_ids(fixtures.texts(60, inputs.COCO))
    padded = fixtures.pad(ids, length=model.rule.max_tokens or 0)
    images, shortlist = fixtures.images(6), 6
    numbers = range(len(images))

    def engine() -> Tensor:
        texts = model.encode_texts(ids)
        matches = rerank_gallery(
            encode_gallery([(numbers, images, np.array(numbers))], model.encode_images),
            texts.features,
            pair_scores(model, texts),
            ranking=model.ranking,
            shortlist=shortlist,
            wanted=numbers,
        )
        return _scores_of_matches(matches, len(images), len(ids))

    def literal() -> Tensor:
        scores = retrieval.evaluate(network, images, padded.ids, padded.mask, shortlist=shortlist)
        rows = _rows_by_query(scores.i2t, scores.t2i)
        return rows.masked_fill(rows == retrieval.NOT_LISTED, -torch.inf)

    return Comparison(engine, literal, compare_rankings)


def prepare_text_encoding(fixtures: Fixtures) -> Comparison[Tensor]:
    """Encode 128 captions; the engine also runs the first fusion layer's self-attention."""
    model, network = _models(fixtures)
    ids = model.token_ids(fixtures.texts(128, inputs.COCO))
    padded = fixtures.pad(ids, length=model.rule.max_tokens or 0)
    return Comparison(
        engine=lambda: model.encode_texts(ids).features,
        literal=lambda: retrieval.encode_texts(network, padded.ids, padded.mask).features,
        compare=compare_numbers,
    )


def prepare_image_encoding(fixtures: Fixtures) -> Comparison[Tensor]:
    """Encode 6 images."""
    model, network = _models(fixtures)
    images = fixtures.images(6)
    return Comparison(
        engine=lambda: model.runtime.encode_images(images).float(),
        literal=lambda: encode(network.vision_encoder, network.architecture.vision, images),
        compare=compare_numbers,
    )


def _models(fixtures: Fixtures) -> tuple[XVLMRetriever, RetrievalNetwork]:
    return fixtures.model("retrieval"), fixtures.network("retrieval")


def _scores_of_matches(matches: Iterable[Matches], images: int, texts: int) -> Tensor:
    """Return the scores of matches in the layout of `_rows_by_query`."""
    scores = torch.full((images, texts), -torch.inf)
    for match in matches:
        assert match.itm is not None
        scores[match.image, torch.from_numpy(match.texts)] = torch.from_numpy(match.itm)
    return _rows_by_query(scores, scores.t())


def _rows_by_query(i2t: Tensor, t2i: Tensor) -> Tensor:
    """Return scores [I, T] and [T, I] as rows per query [I + T, max(I, T)], padded with -inf."""
    widest = max(i2t.shape)
    rows = [
        F.pad(scores.cpu(), (0, widest - scores.shape[1]), value=-torch.inf)
        for scores in (i2t, t2i)
    ]
    return torch.cat(rows)
