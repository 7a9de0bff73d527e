"""BLIP's retrieval from images and captions to ranks: ALBEF's tests with BLIP's rules."""

from functools import partial

import pytest

from harness.models.blip.adapters import BlipRetriever
from harness.models.blip.key_names import official_names
from harness.models.blip.networks import encode_alone as encode_without_images
from harness.models.vit.checkpoint import read_checkpoint
from tests.parity.test_albef_retrieval import (  # noqa: F401
    captions,
    test_captions_become_the_official_tokens,
    test_every_pair_has_the_official_matching_logit,
    test_image_and_text_features_are_the_official_ones,
    test_recalls_are_the_official_ones,
    test_shortlists_and_scores_are_the_official_ones,
    test_text_states_are_the_official_ones,
    test_texts_fused_with_their_own_images_have_the_scores_of_one_image_at_a_time,
    texts,
)
from tests.support.golden import device_under_test
from tests.support.text_rules import rule_of

KIND = "blip_retrieval"


@pytest.fixture(scope="module")
def retriever(case):
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    retriever = BlipRetriever(checkpoint, case.path / "vocab.txt", device_under_test())
    retriever.rule = rule_of(case, retriever.rule)
    return retriever


@pytest.fixture
def encode_alone(retriever):
    """Return the states of packed texts, token ids [N], that features are taken from."""
    return partial(encode_without_images, retriever.network.text_encoder)


def test_special_tokens_have_the_official_ids(case, retriever):
    tokenizer, official = retriever.runtime.tokenizer, case.config["config"]["special_tokens"]
    assert {"[DEC]": tokenizer.begin_decoded, "[ENC]": tokenizer.begin_fused} == official
