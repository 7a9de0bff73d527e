"""Captions of 6 images; with random weights, every caption reaches the maximum length."""

import torch

from harness.bench.agreement import Agreement, compare_decisions
from harness.bench.comparison import Comparison
from harness.bench.fixtures import Fixtures
from harness.bench.literal import captioning
from harness.bench.literal.swin import encode
from harness.engine.beam_search import Hypothesis
from harness.engine.device import Device
from harness.models.xvlm.adapters import BEAMS, PROMPT, XVLMCaptioner
from harness.models.xvlm.heads import CaptioningNetwork


def prepare_captioning(fixtures: Fixtures) -> Comparison[list[Hypothesis]]:
    """Encode 6 images and caption them."""
    model: XVLMCaptioner = fixtures.model("captioning")
    network: CaptioningNetwork = fixtures.network("captioning")
    images, tokenizer = fixtures.images(6), model.runtime.tokenizer
    prompt, end = tokenizer.ids(PROMPT), tokenizer.sep
    return Comparison(
        engine=lambda: model.generate(images, BEAMS),
        literal=lambda: captioning.caption(network, images, prompt=prompt, end=end, beams=BEAMS),
        compare=_compare_captions,
    )


def prepare_decoding(fixtures: Fixtures) -> Comparison[list[Hypothesis]]:
    """Caption 6 encoded images."""
    model: XVLMCaptioner = fixtures.model("captioning")
    network: CaptioningNetwork = fixtures.network("captioning")
    tokenizer = model.runtime.tokenizer
    prompt, end = tokenizer.ids(PROMPT), tokenizer.sep
    with Device(fixtures.device.torch, "float32").computing():
        tokens = encode(network.vision_encoder, network.architecture.vision, fixtures.images(6))
    return Comparison(
        engine=lambda: model.decode(tokens, BEAMS),
        literal=lambda: captioning.generate(
            network.text_decoder, tokens, prompt=prompt, end=end, beams=BEAMS
        ),
        compare=_compare_captions,
    )


def _compare_captions(actual: list[Hypothesis], expected: list[Hypothesis]) -> Agreement:
    scores, expected_scores = (
        torch.tensor([caption.score for caption in captions]) for captions in (actual, expected)
    )
    return compare_decisions(
        [caption.tokens for caption in actual],
        [caption.tokens for caption in expected],
        scores=scores,
        expected_scores=expected_scores,
    )
