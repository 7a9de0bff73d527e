"""Beam search in preallocated buffers, beside that in tensors of growing size."""

import pytest
import torch

from harness.engine.step_graphs import steps_for
from harness.models.fusion.captioning import generate_captions
from harness.models.fusion.static_decoder import StaticDecoding


def decoding_in_buffers_agrees(captioner, images, searches):
    """Check that each of the searches, `Beams`, finds the same tokens and scores in buffers."""
    decoder = captioner.network.text_decoder
    with torch.inference_mode():
        image_tokens = captioner.runtime.encode_images(images)
        on_cpu = image_tokens.device.type == "cpu"
        for beams in searches:
            static = StaticDecoding(decoder, steps_for(image_tokens.device))
            expected = captioner.decode(image_tokens, beams)
            for _ in range(1 if on_cpu else 3):  # as it is, captured, replayed
                actual = generate_captions(
                    decoder,
                    image_tokens,
                    prompt=captioner.prompt_ids(),
                    end=captioner.runtime.tokenizer.sep,
                    beams=beams,
                    static=static,
                )
                if on_cpu:
                    assert actual == expected
                assert [text.tokens for text in actual] == [text.tokens for text in expected]
                scores = [text.score for text in actual]
                assert scores == pytest.approx([text.score for text in expected], abs=1e-4)
