"""The sizes in an official configuration: goldens carry one, released checkpoints need none."""

from collections.abc import Mapping
from typing import Any

from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm.architecture import Architecture, VisionArchitecture


def architecture_from_config(config: Mapping[str, Any]) -> Architecture:
    """Return the sizes written in a configuration's `vision_config` and `text_config`."""
    vision, text = config["vision_config"], config["text_config"]
    return Architecture(
        vision=VisionArchitecture(
            resolution=vision["image_res"],
            window=vision["window_size"],
            width=vision["embed_dim"],
            depths=tuple(vision["depths"]),
            heads=tuple(vision["num_heads"]),
        ),
        text=TextArchitecture(
            vocabulary=text["vocab_size"],
            positions=text["max_position_embeddings"],
            width=text["hidden_size"],
            heads=text["num_attention_heads"],
            layers=text["num_hidden_layers"],
            fusion_layer=text["fusion_layer"],
            inner_width=text["intermediate_size"],
            encoder_width=text["encoder_width"],
        ),
    )
