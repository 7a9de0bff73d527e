"""ALBEF's vision transformer, block by block, against the official model."""

import pytest
import torch

from harness.models.vit.architecture import VISION, Hints, VisionArchitecture, architecture_of
from harness.models.vit.encoder import EPSILON, VisionTransformer, interpolate_positions
from harness.models.weights import read_tensors
from tests.support.golden import device_under_test

KIND = "albef_vit"


@pytest.fixture
def tensors(case):
    """The tensors of the vision transformer; the golden file has no prefix in their names."""
    tensors = read_tensors(case.path / "checkpoint.th")
    return {name.removeprefix(VISION): tensor for name, tensor in tensors.items()}


def architecture(case, tensors, resolution=None) -> VisionArchitecture:
    hints = Hints.of(case.config)
    if resolution is not None:
        hints = Hints(resolution, hints.vision_heads)
    return architecture_of({VISION + name: part for name, part in tensors.items()}, hints).vision


def encoder(case, tensors, resolution=None) -> VisionTransformer:
    vision = architecture(case, tensors, resolution)
    table = interpolate_positions(tensors["pos_embed"], vision.patches_per_side)
    encoder = VisionTransformer(vision)
    encoder.load_state_dict({**tensors, "pos_embed": table})
    return encoder.eval().requires_grad_(False).to(device_under_test().torch)


def test_sizes_are_read_from_tensors_and_configuration(case, tensors):
    config = case.config["config"]["vision_config"]
    vision = architecture(case, tensors)
    assert (vision.patch, vision.width, vision.depth, vision.heads) == (
        config["patch_size"],
        config["embed_dim"],
        config["depth"],
        config["num_heads"],
    )
    assert config["layer_norm_eps"] == EPSILON  # 1e-5 differs by less than the goldens' tolerance
    assert vision.tokens == case.outputs["tokens"].shape[1]


def test_every_block_has_the_official_output(case, tensors, close):
    network = encoder(case, tensors)
    tokens = network.embed(case.inputs["image"])
    close(tokens, case.outputs["embeddings"])
    for number, block in enumerate(network.blocks):
        tokens = block(tokens)
        close(tokens, case.outputs[f"block{number}"])
    close(network.norm(tokens), case.outputs["tokens"])
    assert torch.equal(network.norm(tokens), network(case.inputs["image"]))


def test_positions_are_interpolated_as_officially(case, tensors, close):
    for resolution in case.config["config"]["other_resolutions"]:
        network = encoder(case, tensors, resolution)
        close(network.pos_embed, case.outputs[f"pos_embed_{resolution}"])
        close(network(case.inputs[f"image_{resolution}"]), case.outputs[f"tokens_{resolution}"])
