"""The base model at its real size, with weights from a formula, against the official one."""

import zlib

import numpy as np
import pytest
import torch

from harness.models.xvlm.architecture import architecture_from_config
from harness.models.xvlm.bert import padding_mask
from harness.models.xvlm.heads import GroundingNetwork, fused

KIND = "l_base"


def normal(seed: str, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(zlib.crc32(seed.encode()))).standard_normal(shape)


def weight(name: str, shape: tuple[int, ...], config: dict) -> torch.Tensor:
    """The formula of the golden's README."""
    gain, sharp, faint, bias = config["fill_scale"]
    z = normal(config["fill_prefix"] + name, *shape)
    if "relative_position_bias_table" in name:
        z *= 0.5
    elif len(shape) > 1:
        scale = sharp if ".query." in name or ".key." in name else faint if "crossattention.output.dense" in name else gain
        z *= scale / np.sqrt(np.prod(shape[1:]))
    elif name.endswith("weight"):
        z = 1 + 0.1 * z
    else:
        z *= bias
    return torch.from_numpy(z.astype(np.float32))


def image(number: int, side: int, prefix: str) -> np.ndarray:
    draws = np.random.Generator(np.random.PCG64(zlib.crc32(f"{prefix}image:{number}:{side}".encode())))
    low, noise = draws.standard_normal((3, 8, 8)), draws.standard_normal((3, side, side))
    return (np.kron(low, np.ones((side // 8, side // 8))) + 0.3 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def built():
    """Networks by golden folder: filling 200 M parameters takes seconds."""
    return {}


@pytest.fixture
def network(case, built):
    if case.path not in built:
        made = GroundingNetwork(fused(architecture_from_config(case.config["config"]))).eval().requires_grad_(False)
        for name, parameter in made.named_parameters():
            parameter.copy_(weight(name, tuple(parameter.shape), case.config))
        built[case.path] = made
    return built[case.path]


@pytest.fixture
def images(case):
    side = case.config["config"]["image_res"]
    expected = case.outputs[f"check_image_{side}"]
    for prefix in dict.fromkeys(("", case.config["fill_prefix"])):
        made = np.stack([image(number, side, prefix) for number in range(len(expected))])
        if np.allclose(made[:, :, ::97, ::101], expected, atol=1e-6):
            return torch.from_numpy(made)
    raise AssertionError("the formula gives other images than the golden's")


def test_parameters_have_the_official_names_and_shapes(case, network):
    official = case.json("params.json")["bbox"]
    assert {name: list(parameter.shape) for name, parameter in network.named_parameters()} == official


def test_image_tokens(case, network, images, close):
    expected = case.outputs["image_embeds"]
    close(network.vision_encoder(images[: len(expected)])[:, ::29, ::32], expected)


def test_text_states(case, network, close):
    ids, present = case.inputs["text_ids"][:, None], case.inputs["text_atts"][:, None]
    close(network.text_encoder.read(ids, padding_mask(present))[:, 0, :, ::32], case.outputs["text_embeds"])


def test_boxes(case, network, images, close):
    ids, present = case.inputs["text_ids"][:, None], case.inputs["text_atts"][:, None]
    close(network(images, ids, present)[:, 0], case.outputs["outputs_coord"])
