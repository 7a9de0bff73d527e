"""ALBEF's judgements of statements about two images, against the official model."""

import numpy as np
import pytest
import torch

from harness.errors import CheckpointError
from harness.models.albef.adapters import AlbefPairReasoner
from harness.models.albef.networks import official_names
from harness.models.fusion.fused_texts import fused_tokens
from harness.models.vit.checkpoint import read_checkpoint
from tests.support.golden import device_under_test
from tests.support.text_rules import rule_of

KIND = "albef_nlvr"
ROUNDING = 2e-5  # of a difference of two official logits in float32


@pytest.fixture(scope="module")
def reasoner(case):
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    reasoner = AlbefPairReasoner(checkpoint, case.path / "vocab.txt", device_under_test())
    reasoner.rule = rule_of(case, reasoner.rule)
    return reasoner


def raw_statements(case):
    return case.json("expected.json")["texts_raw"]


def images_of(case):
    return np.stack([case.arrays["index0"], case.arrays["index1"]], axis=1)


def test_statements_become_the_official_tokens(case, reasoner):
    rows = zip(case.arrays["text_ids"], case.arrays["text_atts"], strict=True)
    official = [ids[present > 0].tolist() for ids, present in rows]
    assert reasoner.token_ids(raw_statements(case)) == official


def test_statements_are_fused_with_both_images_as_officially(case, reasoner, close):
    pairs, pair_of = np.unique(images_of(case), axis=0, return_inverse=True)
    tokens = reasoner.runtime.encode_images(case.inputs["image"])
    kv = reasoner.network.project_kv(tokens, torch.from_numpy(pairs))
    fused = fused_tokens(
        reasoner.network.text_encoder,
        reasoner.token_ids(raw_statements(case)),
        kv.of_pairs,
        pair_of.reshape(-1),
        device_under_test(),
    )
    present = case.arrays["text_atts"].astype(bool)
    close(fused.states[torch.from_numpy(present)], case.outputs["cross_embeds"][present])


def test_logits_and_verdicts_are_the_official_ones(case, reasoner, close):
    expected = case.json("expected.json")
    logits = reasoner.logits(case.inputs["image"], raw_statements(case), images_of(case))
    close(logits, case.outputs["logits"])
    undecided = np.abs(np.diff(case.outputs["logits"], axis=1)[:, 0]) < ROUNDING
    verdicts = np.where(undecided, expected["pred"], logits.argmax(1))
    assert not undecided.all() and verdicts.tolist() == expected["pred"]
    accuracy = (verdicts == case.arrays["targets"]).mean()
    assert accuracy == pytest.approx(expected["accuracy"], abs=1e-6)


def test_statements_about_the_same_pair_share_it(case, reasoner, close):
    texts = raw_statements(case)
    first = np.repeat(images_of(case)[:1], len(texts), axis=0)
    together = reasoner.logits(case.inputs["image"], texts, first)
    for number, text in enumerate(texts):
        close(together[number], reasoner.logits(case.inputs["image"], [text], first[:1])[0].numpy())


def test_layers_of_a_pair_that_do_not_share_their_keys_are_refused(case):
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    name = max(
        name for name in checkpoint.tensors if name.endswith("crossattention.self.key.weight")
    )
    # Not in place: in a file that stores a shared tensor once, its partner would change as well.
    checkpoint.tensors[name] = checkpoint.tensors[name] + 1
    with pytest.raises(CheckpointError, match=r"crossattention\.self\.key\.weight differs"):
        AlbefPairReasoner(checkpoint, case.path / "vocab.txt", device_under_test())
