"""Files of ALBEF and BLIP: what is taken from them, what is left, what is refused."""

import json

import numpy as np
import pytest
import torch

from harness.capabilities import Answerer, AttributeMatcher, PairReasoner
from harness.checkpoints import Weights
from harness.errors import CapabilityError, CheckpointError, DataError
from harness.models.vit.architecture import Hints, VisionArchitecture, architecture_of
from harness.registry import load_model
from tests.support.random_weights import VISION, network, write_vocabulary

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)


@pytest.fixture
def load(tmp_path):
    """Write tensors into a file and load it; a `configuration` lies beside it."""

    def load(tensors, *, family="albef", needs=AttributeMatcher, configuration=None):
        torch.save({"model": tensors}, tmp_path / "own.pth")
        config = None
        if configuration is not None:
            config = tmp_path / "config.json"
            config.write_text(json.dumps(configuration))
        vocabulary = write_vocabulary(tmp_path / "vocab.txt")
        weights = Weights("own", family, tmp_path / "own.pth", vocabulary, configuration=config)
        return load_model(weights, needs=[needs], device="cpu", dtype="float32")

    return load


@pytest.fixture
def tensors():
    return dict(network("albef", "retrieval").state_dict())


def similarity(model, images=IMAGES):
    return model.similarity(images, ["two cats", "a dog"])


def test_what_serves_the_training_only_is_left(load, tensors):
    expected = similarity(load(tensors))
    momentum = {
        name.replace("encoder.", "encoder_m.", 1): torch.zeros_like(tensor)
        for name, tensor in tensors.items()
    }
    training = {"temp": torch.ones(()), "image_queue": torch.ones(8, 4), "queue_ptr": torch.ones(1)}
    assert len(momentum) > 10
    assert np.array_equal(similarity(load(momentum | training | tensors)), expected)


@pytest.mark.parametrize("wrapper", ["model", "state_dict", "model_state_dict", None])
def test_wrappers_and_the_prefix_of_distributed_training_are_taken_off(load, tensors, wrapper):
    expected = similarity(load(tensors))
    parallel = {f"module.{name}": tensor for name, tensor in tensors.items()}
    assert np.array_equal(similarity(load({wrapper: parallel} if wrapper else parallel)), expected)


def test_the_heads_of_a_large_vision_transformer_are_64_wide():
    """ViT-L of BLIP: 1024 wide, 24 blocks, 16 heads."""
    names = {
        "visual_encoder.patch_embed.proj.weight": torch.empty(1024, 3, 16, 16, device="meta"),
        "visual_encoder.pos_embed": torch.empty(1, 577, 1024, device="meta"),
        **{
            f"visual_encoder.blocks.{block}.mlp.fc1.weight": torch.empty(4096, 1024, device="meta")
            for block in range(24)
        },
    }
    vision = architecture_of(names, Hints()).vision
    assert vision == VisionArchitecture(384, 16, 1024, 24, 16, 4096)


def test_a_pre_training_file_is_read_by_the_names_of_a_fine_tuned_one(load, tensors):
    expected = similarity(load(tensors))
    pretrained = {
        name.replace("text_encoder.", "text_encoder.bert."): tensor
        for name, tensor in tensors.items()
    }
    pretrained["text_encoder.cls.predictions.bias"] = torch.ones(3)
    assert np.array_equal(similarity(load(pretrained)), expected)


@pytest.mark.parametrize("configuration", [{"image_res": 128}, {"config": {"image_size": 128}}])
def test_a_configuration_names_another_image_side(load, tensors, configuration):
    model = load(tensors, configuration=configuration)
    assert model.runtime.side == 128 and "128px" in model.protocol
    images = np.zeros((1, 128, 128, 3), dtype=np.uint8)
    assert np.isfinite(similarity(model, images)).all()
    assert load(tensors).runtime.side == VISION.resolution


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda state: state.pop("vision_proj.bias"), r"lacks vision_proj\.bias"),
        (
            lambda state: state.update({"visual_encoder.blocks.9.norm1.weight": torch.ones(64)}),
            r"holds visual_encoder\.blocks\.9\.norm1\.weight",
        ),
        (
            lambda state: state.update({"visual_encoder.pos_embed": torch.ones(1, 12, 64)}),
            "11 patches, which form no square",
        ),
        (
            lambda state: [state.pop(name) for name in list(state) if "visual_encoder" in name],
            "it is not a checkpoint of ALBEF or BLIP",
        ),
        (
            lambda state: [state.pop(name) for name in list(state) if "itm_head" in name],
            "none of its tensors belongs to a head",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_a_sentence(load, tensors, change, problem):
    change(tensors)
    with pytest.raises(CheckpointError, match=problem):
        load(tensors)


def test_a_configuration_with_impossible_sizes_is_refused(load, tensors):
    with pytest.raises(CheckpointError, match=r"config\.json: num_attention_heads is 'many'"):
        load(tensors, configuration={"bert_config": {"num_attention_heads": "many"}})
    with pytest.raises(CheckpointError, match="64 wide, which 5 heads do not divide"):
        load(tensors, configuration={"vision_config": {"num_heads": 5}})


def test_another_head_or_capability_is_refused_by_name(load, tensors):
    with pytest.raises(CapabilityError, match=r"for retrieval .* needs one for NLVR2"):
        load(tensors, needs=PairReasoner)
    with pytest.raises(CapabilityError, match=r"ALBEF offers .*, but no dict"):
        load(tensors, needs=dict)


def test_a_text_that_is_too_long_for_the_model_is_refused(load):
    model = load(dict(network("blip", "nlvr").state_dict()), family="blip", needs=PairReasoner)
    with pytest.raises(DataError, match="tokens, the model reads 512"):
        model.judge(IMAGES, [" ".join(["a" * 99] * 30)], np.array([[0, 1]]))


@pytest.mark.parametrize("family", ["albef", "blip"])
def test_an_answer_that_is_too_long_for_the_model_is_refused(load, family):
    """The decoder has 512 positions: for its first token, and for all of an answer but [SEP]."""
    model = load(dict(network(family, "vqa").state_dict()), family=family, needs=Answerer)
    question = (IMAGES, ["two cats"], np.array([0]))
    longest = " ".join(["a"] * 511)
    assert model.answer(*question, answers=[longest], shortlist=1) == [0]
    with pytest.raises(DataError, match="of the list has 513 tokens, the model reads 512: 'a a"):
        model.answer(*question, answers=["a", f"{longest} a"], shortlist=1)
