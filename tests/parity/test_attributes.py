"""Attribute scores of crops, against the benchmark's script with the official model."""

import numpy as np
import pytest
from PIL import Image

from harness.models.fusion.preprocessing import normalise
from harness.models.fusion.runtime import TextRule
from harness.models.xvlm.adapters import XVLMAttributeMatcher
from harness.models.xvlm.checkpoint import read_checkpoint
from tests.support.golden import device_under_test

KIND = "j_ovad"


@pytest.fixture(scope="module")
def matcher(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    matcher = XVLMAttributeMatcher(checkpoint, case.path / "vocab.txt", device_under_test())
    matcher.rule = TextRule(max_tokens=case.config["config"]["max_tokens"])
    return matcher


@pytest.fixture
def crops(case, matcher):
    paths = sorted((case.path / "crops").iterdir(), key=lambda path: int(path.name.split("_")[0]))
    return np.stack([matcher.prepare(Image.open(path)) for path in paths])


def test_crops_are_prepared_as_officially(case, matcher, crops, close):
    close(normalise(crops, device_under_test()), case.arrays["image"])


def test_features_are_the_official_ones(case, matcher, close):
    close(matcher.image_features(case.inputs["image"]), case.outputs["image_feat"])
    for name, features in case.outputs.items():
        if name.startswith("text_features_"):
            sentences = case.json("prompts.json")[name.removeprefix("text_features_")]["prompts"]
            close(matcher.sentence_features(tuple(sentences)), features)


def test_scores_are_the_official_ones(case, matcher, crops, close):
    """The script reduces the sentences of an attribute by their mean or their maximum."""
    for name, expected in case.outputs.items():
        if name.startswith("scores_"):
            prompts = case.json("prompts.json")[name.removeprefix("scores_")]
            found = matcher.similarity(crops, prompts["prompts"])
            ends = np.cumsum(prompts["len_synonyms"])
            parts = np.split(found, ends[:-1], axis=1)
            average = (
                prompts["arguments"]["average_syn"] if "arguments" in prompts else "avg" in name
            )
            reduce = np.mean if average else np.max
            close(np.stack([reduce(part, axis=1) for part in parts], axis=1), expected)


def test_nested_sentences_are_averaged_and_not_normalised_again(case, matcher, close):
    nested = case.json("prompts.json")["nested"]
    close(
        np.stack([matcher.sentence_features(tuple(part)).mean(0).cpu().numpy() for part in nested]),
        case.outputs["encode_nested"],
    )
