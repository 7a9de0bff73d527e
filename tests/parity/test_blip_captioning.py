"""BLIP's captions from image to string, against the official model and transformers 4.15."""

import numpy as np
import pytest
import torch

from harness.engine.beam_search import Beams
from harness.engine.segments import MASKED
from harness.models.blip.adapters import LABEL_SMOOTHING, BlipCaptioner
from harness.models.blip.key_names import official_names
from harness.models.vit.checkpoint import read_checkpoint
from tests.support.buffers import decoding_in_buffers_agrees
from tests.support.golden import device_under_test

KIND = "blip_caption"
DEFAULTS = {"max_length": 30, "min_length": 10}  # of the official generate()


@pytest.fixture(scope="module")
def captioner(case):
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    return BlipCaptioner(checkpoint, case.path / "vocab.txt", device_under_test())


def searches(case):
    """Name, arguments and official captions of every search of the golden."""
    for name, variant in case.json("expected.json")["variants"].items():
        arguments = {**DEFAULTS, **variant["arguments"]}
        beams = Beams(
            width=arguments["num_beams"],
            max_length=arguments["max_length"],
            min_length=arguments["min_length"],
            repetition_penalty=arguments.get("repetition_penalty", 1.0),
        )
        yield name, beams, variant["captions"]


def test_the_beams_are_those_of_the_released_configuration():
    assert Beams(width=3, max_length=20, min_length=5) == BlipCaptioner.released_beams


def teacher_forced(case, captioner):
    """Return the logits [B, T, vocabulary] of the golden's texts."""
    ids, present = case.inputs["text_ids"], case.inputs["text_atts"]
    decoder = captioner.network.text_decoder
    images = decoder.bert.project_kv(captioner.runtime.encode_images(case.inputs["image"]))
    length = ids.shape[1]
    visible = present[:, None, None] * torch.ones(length, length, device=ids.device).tril()
    mask = torch.where(visible > 0, 0.0, MASKED)
    states = decoder.bert.decode(ids[:, None], images, mask=mask).states
    return decoder.cls.predictions(states)[:, 0]


def test_the_prompt_is_the_official_one(case, captioner):
    assert case.config["config"]["prompt"] == BlipCaptioner.released_prompt
    prompt = captioner.prompt_ids()
    assert case.arrays["text_ids"][:, : len(prompt)].tolist() == [prompt] * len(
        case.arrays["text_ids"]
    )


def test_images_have_the_official_tokens(case, captioner, close):
    close(captioner.runtime.encode_images(case.inputs["image"]), case.outputs["image_embeds"])


def test_words_have_the_official_logits_and_losses(case, captioner, close):
    logits = teacher_forced(case, captioner)
    close(logits, case.outputs["logits"])
    targets, log_p = case.inputs["labels"][:, 1:], logits[:, :-1].log_softmax(-1)
    counted = targets >= 0
    true = log_p.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    smoothed = (1 - LABEL_SMOOTHING) * true + LABEL_SMOOTHING * log_p.mean(-1)
    assert float(-smoothed[counted].mean()) == pytest.approx(
        float(case.outputs["loss_forward"]), abs=1e-4
    )


def test_every_search_finds_the_official_tokens_scores_and_captions(case, captioner, close):
    end, padding = captioner.runtime.tokenizer.sep, case.config["config"].get("pad_token_id", 0)
    compared = 0
    for name, beams, captions in searches(case):
        found = captioner.generate(case.inputs["image"], beams)
        for row, hypothesis in enumerate(found):
            ended = [*hypothesis.tokens, end][: beams.max_length]
            official = case.outputs[f"{name}_ids"][row].tolist()
            assert ended + [padding] * (len(official) - len(ended)) == official, (name, row)
        if f"{name}_scores" in case.outputs:
            scores = np.array([hypothesis.score for hypothesis in found])
            close(scores, case.outputs[f"{name}_scores"])
        assert [captioner.spell(hypothesis.tokens) for hypothesis in found] == captions
        compared += 1
    assert compared


def test_an_image_has_the_same_caption_alone_and_among_others(case, captioner):
    _, beams, captions = next(searches(case))
    for row in (0, len(captions) - 1):
        (alone,) = captioner.generate(case.inputs["image"][row : row + 1], beams)
        assert captioner.spell(alone.tokens) == captions[row]


def test_the_captions_of_the_evaluation_are_the_official_ones(case, captioner):
    config = case.config["config"]
    beams = Beams(config["num_beams"], config["max_length"], config["min_length"])
    found = captioner.generate(case.inputs["image"], beams)
    official = [row["caption"] for row in case.json("expected.json")["evaluate_coco"]]
    assert [captioner.spell(hypothesis.tokens) for hypothesis in found] == official


def test_every_beam_search_in_buffers_finds_the_same_tokens_and_scores(case, captioner):
    decoding_in_buffers_agrees(
        captioner, case.inputs["image"], [beams for _, beams, _ in searches(case)]
    )
