"""BLIP's judgements of statements about two images: ALBEF's tests, and the doubling of keys."""

from dataclasses import replace

import pytest

from harness.models.blip.adapters import BlipPairReasoner
from harness.models.blip.key_names import official_names
from harness.models.vit.checkpoint import read_checkpoint
from harness.models.weights import read_tensors
from tests.parity.test_albef_pairs import (  # noqa: F401
    images_of,
    raw_statements,
    test_logits_and_verdicts_are_the_official_ones,
    test_statements_about_the_same_pair_share_it,
    test_statements_are_fused_with_both_images_as_officially,
    test_statements_become_the_official_tokens,
)
from tests.support.golden import device_under_test
from tests.support.text_rules import rule_of

KIND = "blip_nlvr"


@pytest.fixture(scope="module")
def checkpoint(case):
    return read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )


@pytest.fixture(scope="module")
def reasoner(case, checkpoint):
    reasoner = BlipPairReasoner(checkpoint, case.path / "vocab.txt", device_under_test())
    reasoner.rule = rule_of(case, reasoner.rule)
    return reasoner


def test_a_file_without_twins_gives_both_the_same_weights(case, checkpoint, close):
    """The keys of such a file are doubled at loading."""
    single = {
        name.replace("self0.", "self.").replace("dense0.", "dense."): tensor
        for name, tensor in read_tensors(case.path / "checkpoint.th").items()
        if "self1." not in name and "dense1." not in name
    }
    assert len(single) < len(checkpoint.tensors)
    reasoner = BlipPairReasoner(
        replace(checkpoint, tensors=official_names(single)),
        case.path / "vocab.txt",
        device_under_test(),
    )
    reasoner.rule = rule_of(case, reasoner.rule)
    logits = reasoner.logits(case.inputs["image"], raw_statements(case), images_of(case))
    close(logits, case.outputs["logits_from_untwinned"])
