"""Retrieval from images and captions to scores of pairs, against the official evaluation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.engine.chunks import CHUNK_SIZES
from harness.engine.encoded_gallery import encode_gallery
from harness.engine.packing import pack
from harness.engine.two_stage_retrieval import pair_scores, rerank_gallery
from harness.models.xvlm.adapters import XVLMRetriever
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.preprocessing import pre_caption
from tests.support.golden import device_under_test
from tests.support.shortlists import cut_within_ties

KIND = "b_"
NOT_LISTED = -100.0  # the official matrices' score of a pair that was not re-ranked


@pytest.fixture(scope="module")
def retriever(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    return XVLMRetriever(checkpoint, case.path / "vocab.txt", device_under_test())


@pytest.fixture(scope="module")
def texts(case):
    """The official token ids without their padding."""
    return [
        row[: int(there.sum())].tolist()
        for row, there in zip(case.inputs["text_ids"], case.inputs["text_atts"], strict=True)
    ]


def matches(case, retriever, texts, *, shortlist=None, wanted=None, together=1):
    """The matches of the wanted images, by default of all, with all texts or a shortlist."""
    images, encoded = case.inputs["image"], retriever.encode_texts(texts)
    numbers = range(len(images))
    gallery = encode_gallery([(numbers, images, np.arange(len(images)))], retriever.encode_images)
    return list(
        rerank_gallery(
            gallery,
            encoded.features,
            pair_scores(retriever, encoded),
            ranking="itm",
            shortlist=shortlist or len(texts),
            wanted=numbers if wanted is None else wanted,
            together=together,
        )
    )


@pytest.fixture(scope="module")
def all_matches(case, retriever, texts):
    return matches(case, retriever, texts)


def test_captions_become_the_official_tokens(case, retriever, texts):
    if (case.path / "captions.json").is_file():
        captions = [caption for image in case.json("captions.json") for caption in image["caption"]]
    else:
        captions = case.json("expected.json")["texts"]
    longest, tokenizer = case.config["config"]["max_tokens"], retriever.runtime.tokenizer
    assert [tokenizer.ids(pre_caption(caption))[:longest] for caption in captions] == texts


def test_features_are_the_official_ones(case, retriever, texts, close):
    images, encoded = retriever.encode_images(case.inputs["image"]), retriever.encode_texts(texts)
    for name, found in {
        "image_embeds": images.states,
        "image_feat": images.features,
        "text_feat": encoded.features,
        "sims": images.features @ encoded.features.T,
    }.items():
        if name in case.outputs:
            close(found, case.outputs[name])
    if "text_embeds" in case.outputs:
        device = retriever.runtime.device
        for packed in pack([len(text) for text in texts], device.chunk_sizes):
            ids = device.send(packed.ids_of(texts))
            states = retriever.network.text_encoder.encode_text(ids, packed.to(device.torch))
            for text, first, length in zip(packed.texts, packed.first, packed.lengths, strict=True):
                expected = case.outputs["text_embeds"][int(text), : int(length)]
                close(states[int(first) : int(first + length)], expected)


def test_every_pair_has_the_official_score(case, all_matches, close):
    close(np.stack([image.itc for image in all_matches]), case.outputs["sims"])
    close(np.stack([image.itm for image in all_matches]), case.outputs["itm_logits"][:, :, 1])


@pytest.mark.parametrize(
    "chunk_sizes",
    [{"min_bucket": 10**6}, {"text_tokens": 30}],
    ids=["all lengths in one bucket", "in many packs"],
)
def test_every_pair_has_the_official_score_however_texts_are_packed(
    case, retriever, texts, chunk_sizes, monkeypatch, close
):
    device = retriever.runtime.device.torch.type
    monkeypatch.setitem(CHUNK_SIZES, device, replace(CHUNK_SIZES[device], **chunk_sizes))
    scores = np.stack([image.itm for image in matches(case, retriever, texts)])
    close(scores, case.outputs["itm_logits"][:, :, 1])


def test_both_directions_shortlists_are_united_and_hold_the_official_ones(
    case, retriever, texts, close
):
    k = int(case.config["config"]["k_test"])
    scores = np.full((len(case.inputs["image"]), len(texts)), np.nan, dtype=np.float32)
    for image in matches(case, retriever, texts, shortlist=k):
        assert len(set(image.texts.tolist())) == len(image.texts)
        scores[image.image, image.texts] = image.itm
    sims = case.outputs["sims"]
    if cut_within_ties(sims, k).any() or cut_within_ties(sims.T, k).any():
        return  # torch's topk does not specify which member of a tie is listed
    i2t, t2i = case.outputs["score_matrix_i2t"], case.outputs["score_matrix_t2i"].T
    assert np.array_equal(~np.isnan(scores), (i2t != NOT_LISTED) | (t2i != NOT_LISTED))
    for official in (i2t, t2i):
        close(np.where(official == NOT_LISTED, NOT_LISTED, scores), official)


def test_only_wanted_images_are_compared_with_the_same_scores(case, retriever, texts, all_matches):
    last = len(all_matches) - 1
    some = matches(case, retriever, texts, wanted={0, last})
    assert [image.image for image in some] == sorted({0, last})
    assert np.array_equal(some[-1].itm, all_matches[-1].itm)


def test_images_reranked_together_have_the_official_scores(case, retriever, texts, close):
    scored = matches(case, retriever, texts, together=3)
    assert [image.image for image in scored] == list(range(len(case.inputs["image"])))
    close(np.stack([image.itc for image in scored]), case.outputs["sims"])
    close(np.stack([image.itm for image in scored]), case.outputs["itm_logits"][:, :, 1])


def test_a_group_is_scored_whole_for_one_wanted_image(case, retriever, texts):
    k, together = int(case.config["config"]["k_test"]), 2
    everything = matches(case, retriever, texts, shortlist=k, together=together)
    second = min(1, len(everything) - 1)
    (one,) = matches(case, retriever, texts, shortlist=k, together=together, wanted={second})
    assert one.image == second
    assert np.array_equal(one.texts, everything[second].texts)
    assert np.array_equal(one.itm, everything[second].itm)


def test_texts_fused_with_their_own_images_have_the_scores_of_one_image_at_a_time(
    case, retriever, texts, all_matches, close
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
    close(scores, np.stack([image.itm for image in all_matches])[image_of, np.arange(len(texts))])
