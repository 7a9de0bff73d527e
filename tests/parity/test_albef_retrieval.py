"""ALBEF's retrieval from images and captions to ranks, against the official evaluation."""

import numpy as np
import pytest
import torch

from harness.capabilities import Gallery
from harness.engine.encoded_gallery import encode_gallery
from harness.engine.packing import pack
from harness.engine.two_stage_retrieval import pair_scores, rerank_gallery, retrieve
from harness.metrics.pairs import PROTOCOLS, ScoredPairs, shortlist_ranks
from harness.models.albef.adapters import AlbefRetriever
from harness.models.albef.networks import official_names
from harness.models.vit.checkpoint import read_checkpoint
from tests.support.golden import device_under_test
from tests.support.shortlists import cut_within_ties
from tests.support.text_rules import rule_of

KIND = "albef_retrieval"
NOT_LISTED = -100.0  # the official matrices' score of a pair that was not re-ranked


@pytest.fixture(scope="module")
def retriever(case):
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    retriever = AlbefRetriever(checkpoint, case.path / "vocab.txt", device_under_test())
    retriever.rule = rule_of(case, retriever.rule)
    return retriever


@pytest.fixture
def texts(case):
    """The official token ids without their padding."""
    return [
        row[: int(present.sum())].tolist()
        for row, present in zip(case.inputs["text_ids"], case.inputs["text_atts"], strict=True)
    ]


@pytest.fixture
def captions(case):
    return [caption for image in case.json("captions.json") for caption in image["caption"]]


def retrieved(case, retriever, captions, *, shortlist):
    """Run the adapter on normalised images: what `prepare` and its inverse would only round."""
    images = case.inputs["image"]
    retriever.read_images = retriever.encode_images
    batches = (range(first, min(first + 5, len(images))) for first in range(0, len(images), 5))
    gallery = Gallery(
        ((some, images[some], np.arange(len(some))) for some in batches), lambda value: [value]
    )
    wanted = range(len(images))
    return retrieve(retriever, gallery, captions, shortlist=shortlist, wanted=wanted)


@pytest.fixture
def encode_alone(retriever):
    """Return the states of packed texts, token ids [N], that features are taken from."""
    return retriever.network.text_encoder.encode_text


def test_captions_become_the_official_tokens(retriever, captions, texts):
    assert retriever.token_ids(captions) == texts


def test_image_and_text_features_are_the_official_ones(case, retriever, texts, close):
    images, encoded = retriever.encode_images(case.inputs["image"]), retriever.encode_texts(texts)
    close(images.states, case.outputs["image_embeds"])
    close(images.features, case.outputs["image_feat"])
    close(encoded.features, case.outputs["text_feat"])
    close(
        retriever.network.encode_features(texts, retriever.runtime.device),
        case.outputs["text_feat"],
    )
    close(images.features @ encoded.features.T, case.outputs["sims"])


def test_text_states_are_the_official_ones(case, retriever, encode_alone, texts, close):
    device = retriever.runtime.device
    for packed in pack([len(text) for text in texts], device.chunk_sizes):
        ids = device.send(packed.ids_of(texts))
        states = encode_alone(ids, packed.to(device.torch))
        for text, first, length in zip(packed.texts, packed.first, packed.lengths, strict=True):
            expected = case.outputs["text_embeds"][int(text), : int(length)]
            close(states[int(first) : int(first + length)], expected)


def test_every_pair_has_the_official_matching_logit(case, retriever, texts, close):
    numbers = range(len(case.inputs["image"]))
    batches = [(numbers, case.inputs["image"], np.array(numbers))]
    encoded = retriever.encode_texts(texts)
    scored = rerank_gallery(
        encode_gallery(batches, retriever.encode_images),
        encoded.features,
        pair_scores(retriever, encoded),
        ranking=retriever.ranking,
        shortlist=len(texts),
        wanted=numbers,
    )
    found = list(scored)
    close(np.stack([image.itc for image in found]), case.outputs["sims"])
    close(np.stack([image.itm for image in found]), case.outputs["itm_logits"][:, :, 1])


def test_shortlists_and_scores_are_the_official_ones(case, retriever, captions, close):
    k = int(case.config["config"]["k_test"])
    scores = np.full((len(case.inputs["image"]), len(captions)), np.nan, dtype=np.float32)
    for image in retrieved(case, retriever, captions, shortlist=k):
        scores[image.image, image.texts] = PROTOCOLS[image.ranking](image.itc, image.itm)
    sims = case.outputs["sims"]
    if cut_within_ties(sims, k).any() or cut_within_ties(sims.T, k).any():
        return  # torch's topk does not specify which member of a tie is listed
    i2t, t2i = case.outputs["score_matrix_i2t"], case.outputs["score_matrix_t2i"].T
    assert np.array_equal(~np.isnan(scores), (i2t != NOT_LISTED) | (t2i != NOT_LISTED))
    for official in (i2t, t2i):
        close(np.where(official == NOT_LISTED, NOT_LISTED, scores), official)


def test_recalls_are_the_official_ones(case, retriever, captions):
    expected = case.json("expected.json")
    k = int(case.config["config"]["k_test"])
    found = list(retrieved(case, retriever, captions, shortlist=k))
    pairs = ScoredPairs(
        np.concatenate([np.full(len(image.texts), image.image) for image in found]),
        np.concatenate([image.texts for image in found]),
        np.concatenate([image.itc for image in found]),
        np.concatenate([image.itm for image in found]),
    )
    counts = np.bincount(expected["txt2img"]).tolist()
    i2t, t2i = shortlist_ranks(pairs, counts, shortlist=k)[retriever.ranking]
    for name, ranks in {"txt": i2t, "img": t2i}.items():
        for limit in (1, 5, 10):
            recall = 100 * float((ranks.rank < limit).mean())
            official = expected["metrics"][f"{name}_r{limit}"]
            if limit <= k:
                assert recall == pytest.approx(official)
            else:  # officially, a truth outside of the shortlist has any of the ranks after it
                assert recall <= official + 1e-9


def test_texts_fused_with_their_own_images_have_the_scores_of_one_image_at_a_time(
    case, retriever, texts, close
):
    """A pack may hold texts about several images."""
    encoded = retriever.encode_texts(texts)
    images = retriever.encode_images(case.inputs["image"])
    kv = retriever.network.text_encoder.project_kv(images.states)
    image_of = torch.arange(len(texts)) % len(kv)
    scores = torch.empty(len(texts), device=images.states.device)
    for part in encoded.packs(torch.arange(len(texts)), image_of=image_of):
        logits = retriever.network.match(
            part.fusion_input, part.texts, kv.of_images(part.texts.images)
        )
        scores[part.texts.texts] = logits[:, 1]
    close(scores, case.outputs["itm_logits"][image_of, np.arange(len(texts)), 1])
