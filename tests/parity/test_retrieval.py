"""Retrieval from images and captions to scores of pairs, against the official model and its two-stage evaluation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.engine.chunks import GRAINS
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.preprocessing import pre_caption
from harness.models.xvlm.retriever import XVLMRetriever
from tests.support.golden import device_under_test

KIND = "b_"
OUTSIDE = -100.0  # what the official matrices hold for a pair that was not looked at


@pytest.fixture
def retriever(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    return XVLMRetriever(checkpoint, case.path / "vocab.txt", device_under_test())


@pytest.fixture
def texts(case):
    """The official token ids without their padding."""
    return [
        row[: int(there.sum())].tolist()
        for row, there in zip(case.inputs["text_ids"], case.inputs["text_atts"], strict=True)
    ]


@pytest.fixture
def everything(case, retriever, texts):
    """The matches of every image with every text."""
    gallery = seen(case, retriever)
    return list(
        retriever.compare(
            gallery, retriever.read(texts), shortlist=len(texts), wanted=gallery.numbers
        )
    )


def seen(case, retriever):
    images = case.inputs["image"]
    return retriever.see([(range(len(images)), images)])


def test_captions_become_the_official_tokens(case, retriever, texts):
    if (case.path / "captions.json").is_file():
        captions = [caption for image in case.json("captions.json") for caption in image["caption"]]
    else:
        captions = case.json("expected.json")["texts"]
    longest = case.config["config"]["max_tokens"]
    assert [
        retriever.inputs.tokenizer.ids(pre_caption(caption))[:longest] for caption in captions
    ] == texts


def test_features_are_the_official_ones(case, retriever, texts, close):
    gallery, read = retriever.image_tokens(case.inputs["image"]), retriever.read(texts)
    for name, found in {
        "image_embeds": gallery,
        "image_feat": retriever.network.image_features(gallery),
        "text_feat": read.features,
        "sims": retriever.network.image_features(gallery) @ read.features.T,
    }.items():
        if name in case.outputs:
            close(found, case.outputs[name])
    if "text_embeds" in case.outputs:
        for number, text in enumerate(texts):
            states = retriever.network.text_encoder.read(
                torch.tensor([[text]], device=gallery.device)
            )[0, 0]
            close(states, case.outputs["text_embeds"][number, : len(text)])


def test_every_pair_has_the_official_score(case, everything, close):
    close(np.stack([matches.itc for matches in everything]), case.outputs["sims"])
    close(np.stack([matches.itm for matches in everything]), case.outputs["itm_logits"][:, :, 1])


@pytest.mark.parametrize(
    "chunk_sizes",
    [{"alike": 10**6}, {"tokens": 30}],
    ids=["all lengths in one table", "in many strips"],
)
def test_every_pair_has_the_official_score_however_texts_are_laid(
    case, retriever, texts, chunk_sizes, monkeypatch, close
):
    device = retriever.inputs.device.torch.type
    monkeypatch.setitem(GRAINS, device, replace(GRAINS[device], **chunk_sizes))
    gallery = seen(case, retriever)
    matches = retriever.compare(
        gallery, retriever.read(texts), shortlist=len(texts), wanted=gallery.numbers
    )
    close(np.stack([found.itm for found in matches]), case.outputs["itm_logits"][:, :, 1])


def test_both_directions_shortlists_are_united_and_hold_the_official_ones(
    case, retriever, texts, close
):
    k = int(case.config["config"]["k_test"])
    gallery = seen(case, retriever)
    scores = np.full((len(gallery.numbers), len(texts)), np.nan, dtype=np.float32)
    for matches in retriever.compare(
        gallery, retriever.read(texts), shortlist=k, wanted=gallery.numbers
    ):
        assert len(set(matches.texts.tolist())) == len(matches.texts)
        scores[matches.image, matches.texts] = matches.itm
    if "ties" in case.path.name:  # which member of a tie is listed is unspecified in torch's topk
        return
    listed = (case.outputs["score_matrix_i2t"] != OUTSIDE) | (
        case.outputs["score_matrix_t2i"].T != OUTSIDE
    )
    assert np.array_equal(~np.isnan(scores), listed)
    for official in (case.outputs["score_matrix_i2t"], case.outputs["score_matrix_t2i"].T):
        close(np.where(official == OUTSIDE, OUTSIDE, scores), official)


def test_only_what_is_wanted_is_compared_and_scores_the_same(case, retriever, texts, everything):
    gallery = seen(case, retriever)
    last = len(gallery.numbers) - 1
    some = list(
        retriever.compare(gallery, retriever.read(texts), shortlist=len(texts), wanted={0, last})
    )
    assert [matches.image for matches in some] == [0, last]
    assert np.array_equal(some[1].itm, everything[-1].itm)
