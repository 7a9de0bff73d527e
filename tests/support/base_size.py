"""The base model at its real size with weights and images from the golden's formula."""

import zlib
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
    decoding,
    fused,
)
from tests.support.golden import device_under_test
from tests.support.official_architecture import architecture_from_config

DRAWN_AT_ONCE = 2**15  # numbers
NETWORKS = {
    "retrieval": lambda sizes, config: RetrievalNetwork(
        fused(sizes), feature_width=config["embed_dim"]
    ),
    "bbox": lambda sizes, config: GroundingNetwork(fused(sizes)),
    "vqa": lambda sizes, config: AnsweringNetwork(
        fused(sizes), decoder_of(sizes.text, config["num_dec_layers"])
    ),
    "nlvr": lambda sizes, config: PairNetwork(fused(replace(sizes, text=doubled(sizes.text)))),
    "captioning": lambda sizes, config: CaptioningNetwork(
        decoding(replace(sizes, decoder=sizes.text))
    ),
}


def doubled(text):
    """The text encoder of NLVR2 has every fusion layer twice, once for each image."""
    return replace(text, layers=text.fusion_layer + 2 * (text.layers - text.fusion_layer))


def decoder_of(text, layers):
    """The decoder of VQA cross-attends to the question in every layer."""
    return replace(text, layers=layers, fusion_layer=0, encoder_width=text.width)


@contextmanager
def without_drawing():
    """Leave new parameters as they come: the formula sets every one of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("uniform_", "normal_"):
            patch.setattr(torch.Tensor, name, lambda tensor, *args, **options: tensor)
        yield


def side_of(case, head):
    """The image side of a head: the configuration's; for VQA, its other one, or the golden's."""
    main = case.config["config"]["image_res"]
    if head != "vqa" or "image_res_vqa" in case.config:
        return case.config["image_res_vqa"] if head == "vqa" else main
    found = [
        int(name.removeprefix("check_image_"))
        for name in case.outputs
        if name.startswith("check_image_")
    ]
    return next((side for side in found if side != main), main)


def sized(case, head):
    """The sizes of a head; a window has one token per 32 pixels of the image, as released."""
    sizes, side = architecture_from_config(case.config["config"]), side_of(case, head)
    return replace(sizes, vision=replace(sizes.vision, resolution=side, window=side // 32))


def token_ids(case, count=None):
    """The first texts without their padding."""
    rows = zip(case.inputs["text_ids"][:count], case.inputs["text_atts"][:count], strict=True)
    return [ids[there > 0].tolist() for ids, there in rows]


def images(case, side, count):
    """The first images of the golden, [count, 3, side, side]."""
    for prefix in dict.fromkeys(("", case.config["fill_prefix"])):
        made = np.stack([image(number, side, prefix) for number in range(count)])
        expected = case.outputs[f"check_image_{side}"]
        if np.allclose(made[: len(expected), :, ::97, ::101], expected[:count], atol=1e-6):
            return torch.from_numpy(made).to(device_under_test().torch)
    raise AssertionError("the formula gives other images than the golden's")


def generator(seed: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(seed.encode())))


def weight(name: str, shape: tuple[int, ...], config: dict) -> torch.Tensor:
    """The formula of the golden's README, drawn in parts that the processor's cache holds."""
    gain, sharp, faint, bias = config["fill_scale"]
    offset = 0.0
    if "relative_position_bias_table" in name:
        scale = 0.5
    elif len(shape) > 1:
        scale = (
            sharp
            if ".query." in name or ".key." in name
            else faint
            if "crossattention.output.dense" in name
            else gain
        )
        scale /= np.sqrt(np.prod(shape[1:]))
    elif name.endswith("weight"):
        scale, offset = 0.1, 1.0
    else:
        scale = bias
    draws, values = generator(config["fill_prefix"] + name), np.empty(shape, np.float32)
    part = np.empty(DRAWN_AT_ONCE)
    for rest in np.split(values.reshape(-1), range(DRAWN_AT_ONCE, values.size, DRAWN_AT_ONCE)):
        z = draws.standard_normal(out=part[: rest.size])
        z *= scale
        z += offset
        rest[:] = z
    return torch.from_numpy(values)


def image(number: int, side: int, prefix: str) -> np.ndarray:
    draws = generator(f"{prefix}image:{number}:{side}")
    low, noise = draws.standard_normal((3, 8, 8)), draws.standard_normal((3, side, side))
    return (np.kron(low, np.ones((side // 8, side // 8))) + 0.3 * noise).astype(np.float32)
