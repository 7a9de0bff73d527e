"""Captions from image to string, against the official model and its beam search."""

import pytest
import torch

from harness.engine.beam_search import Beams
from harness.engine.segments import MASKED
from harness.models.xvlm.adapters import PROMPT, XVLMCaptioner
from harness.models.xvlm.checkpoint import read_checkpoint
from tests.support.buffers import decoding_in_buffers_agrees
from tests.support.golden import device_under_test

KIND = "g_caption"


@pytest.fixture(scope="module")
def captioner(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    return XVLMCaptioner(checkpoint, case.path / "vocab.txt", device_under_test())


def searches(case):
    """Name, arguments and official captions of every beam search of the golden."""
    for name, variant in case.json("expected.json")["variants"].items():
        arguments = variant["arguments"]
        if "num_beams" in arguments:
            beams = Beams(
                width=arguments["num_beams"],
                max_length=arguments["max_length"],
                min_length=arguments["min_length"],
            )
            yield name, beams, variant["captions"]


def test_the_prompt_becomes_the_official_tokens(case, captioner):
    assert captioner.runtime.tokenizer.ids(PROMPT) == case.json("expected.json")["prompt_ids"]


def test_words_have_the_official_logits(case, captioner, close):
    ids, present = case.inputs["text_ids"], case.inputs["text_atts"]
    decoder = captioner.network.text_decoder
    images = decoder.bert.project_kv(captioner.network.vision_encoder(case.inputs["image"]))
    length = ids.shape[1]
    visible = present[:, None, None] * torch.ones(length, length, device=ids.device).tril()
    mask = torch.where(visible > 0, 0.0, MASKED)
    states = decoder.bert.decode(ids[:, None], images, mask=mask).states
    close(decoder.cls.predictions(states)[:, 0], case.outputs["logits"])


def test_decoding_token_by_token_gives_the_logits_of_the_whole_text(case, captioner, close):
    length = int(case.arrays["text_atts"].sum(1).min())  # without padding in any text
    ids = case.inputs["text_ids"][:, None, :length]
    decoder = captioner.network.text_decoder
    images = decoder.bert.project_kv(captioner.network.vision_encoder(case.inputs["image"]))
    state = decoder.bert.decode(ids[..., : length - 3], images)
    for position in range(length - 3, length):
        state = decoder.bert.decode(ids[..., position : position + 1], images, past=state.past)
    close(decoder.cls.predictions(state.states)[:, 0, -1], case.outputs["logits"][:, length - 1])


def test_every_beam_search_finds_the_official_tokens_scores_and_captions(case, captioner, close):
    end, padding = captioner.runtime.tokenizer.sep, case.config["config"].get("pad_token_id", 0)
    tried = 0
    for name, beams, captions in searches(case):
        found = captioner.generate(case.inputs["image"], beams)
        for row, hypothesis in enumerate(found):
            ended = [*hypothesis.tokens, end][: beams.max_length]
            official = case.outputs[f"{name}_ids"][row].tolist()
            assert ended + [padding] * (len(official) - len(ended)) == official, (name, row)
        close(
            torch.tensor([hypothesis.score for hypothesis in found]), case.outputs[f"{name}_scores"]
        )
        assert [captioner.spell(hypothesis.tokens) for hypothesis in found] == captions
        tried += 1
    assert tried


def test_an_image_has_the_same_caption_alone_and_among_others(case, captioner):
    _, beams, captions = next(searches(case))
    for row in (0, len(captions) - 1):
        (alone,) = captioner.generate(case.inputs["image"][row : row + 1], beams)
        assert captioner.spell(alone.tokens) == captions[row]


def test_tokens_are_decoded_as_officially(case, captioner):
    for entry in case.json("decode.json"):
        assert captioner.runtime.tokenizer.text(entry["ids"]) == entry["decoded"]
        assert captioner.spell(entry["ids"]) == entry["caption"]


def test_every_beam_search_in_buffers_finds_the_same_tokens_and_scores(case, captioner):
    decoding_in_buffers_agrees(
        captioner, case.inputs["image"], [beams for _, beams, _ in searches(case)]
    )
