"""Sentences of OVAD's attributes and the joined scores, against the official script."""

import hashlib
import json

import numpy as np
import pytest

from harness.formats.prompts import sentences
from tests.support.real_files import real_data

KIND = "ovad_prompts"
REAL = real_data("ovad") / "attributes117.json"


def sentences_of(attributes, setting):
    noun = "object" if setting["object_word"] else ""
    return {
        item["name"]: sentences(
            item["name"], item["is_has_att"], prompt=setting["prompt"], noun=noun
        )
        for item in attributes
    }


def test_sentences_are_the_official_ones(case):
    attributes = case.json("attributes.json")
    for setting in case.json("expected.json"):
        assert sentences_of(attributes, setting) == setting["sentences"], setting["prompt"]


@pytest.mark.skipif(not REAL.is_file(), reason="the list of OVAD's 117 attributes is not here")
def test_sentences_of_all_117_attributes_are_the_official_ones(case):
    attributes = json.loads(REAL.read_text())
    case.path_of("expected_full_117.json")
    for setting in case.json("expected_full_117.json"):
        everything = [
            sentence for group in sentences_of(attributes, setting).values() for sentence in group
        ]
        assert len(everything) == setting["n_sentences"]
        assert (
            hashlib.sha256("\n".join(everything).encode()).hexdigest()
            == setting["sha256_of_newline_joined"]
        )


def test_scores_are_joined_as_officially(case):
    folder = case.path_of("aggregation")
    images, texts = np.load(folder / "image_features.npy"), np.load(folder / "text_features.npy")
    ends = np.cumsum(json.loads((folder / "sentences_per_attribute.json").read_text()))
    parts = np.split(images @ texts.T, ends[:-1], axis=1)
    for name, join in (("average", np.mean), ("max", np.max)):
        joined = np.stack([join(part, axis=1) for part in parts], axis=1)
        np.testing.assert_allclose(joined, np.load(folder / f"score_{name}.npy"), atol=1e-6)
