"""Statements about two images, against the official NLVR2 model."""

import numpy as np
import pytest
import torch

from harness.models.fusion.fused_texts import fused_tokens
from harness.models.xvlm.adapters import XVLMPairReasoner
from harness.models.xvlm.checkpoint import read_checkpoint
from tests.support.golden import device_under_test

KIND = "f_nlvr"
ROUNDING = 3e-6  # of a difference of two official logits, each within 1.4e-6 of float64


@pytest.fixture(scope="module")
def reasoner(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    return XVLMPairReasoner(checkpoint, case.path / "vocab.txt", device_under_test())


def images_of(case):
    return np.stack([case.arrays["index0"], case.arrays["index1"]], axis=1)


def test_statements_become_the_official_tokens(case, reasoner):
    tokens = reasoner.token_ids(case.json("expected.json")["texts"])
    rows = zip(case.arrays["text_ids"], case.arrays["text_atts"], strict=True)
    assert tokens == [ids[present > 0].tolist() for ids, present in rows]


def test_logits_and_verdicts_are_the_official_ones(case, reasoner, close):
    expected = case.json("expected.json")
    logits = reasoner.logits(case.inputs["image"], expected["texts"], images_of(case))
    close(logits, case.outputs["logits"])
    # One official pair of logits is 2e-7 apart, closer than float32 rounds: it has no verdict.
    undecided = np.abs(np.diff(case.outputs["logits"], axis=1)[:, 0]) < ROUNDING
    verdicts = np.where(undecided, expected["pred"], logits.argmax(1))
    assert not undecided.all() and verdicts.tolist() == expected["pred"]
    assert (verdicts == case.arrays["targets"]).mean() == pytest.approx(
        expected["accuracy"], abs=1e-6
    )


def test_statements_are_fused_with_both_images_as_officially(case, reasoner, close):
    pairs, pair_of = np.unique(images_of(case), axis=0, return_inverse=True)
    tokens = reasoner.runtime.encode_images(case.inputs["image"])
    fused = fused_tokens(
        reasoner.network.text_encoder,
        reasoner.token_ids(case.json("expected.json")["texts"]),
        reasoner.network.project_kv(tokens, torch.from_numpy(pairs)).of_pairs,
        pair_of.reshape(-1),
        device_under_test(),
    )
    present = case.arrays["text_atts"].astype(bool)
    close(fused.states[torch.from_numpy(present)], case.outputs["cross_embeds"][present])


def test_statements_about_the_same_pair_share_it(case, reasoner, close):
    """Every statement about the first pair: alone, and with the others."""
    texts = case.json("expected.json")["texts"]
    first = np.repeat(images_of(case)[:1], len(texts), axis=0)
    together = reasoner.logits(case.inputs["image"], texts, first)
    for number, text in enumerate(texts):
        close(together[number], reasoner.logits(case.inputs["image"], [text], first[:1])[0].numpy())
