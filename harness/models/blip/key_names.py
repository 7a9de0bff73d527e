"""The names of tensors in BLIP's released files and in those on the hub.

`official_names` returns those of the released files; the keys of an NLVR2 model that is loaded from
another file are doubled, as by `load_checkpoint` of models/blip_nlvr.py.
"""

import re
from collections.abc import Mapping

from torch import Tensor

HUB_VISION = "vision_model."
_HUB = (  # the names of transformers' Blip* classes, in order
    (r"^vision_model\.embeddings\.class_embedding$", "visual_encoder.cls_token"),
    (r"^vision_model\.embeddings\.position_embedding$", "visual_encoder.pos_embed"),
    (r"^vision_model\.embeddings\.patch_embedding\.", "visual_encoder.patch_embed.proj."),
    (r"^vision_model\.post_layernorm\.", "visual_encoder.norm."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.self_attn\.qkv\.", r"visual_encoder.blocks.\1.attn.qkv."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.self_attn\.projection\.", r"visual_encoder.blocks.\1.attn.proj."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.layer_norm(\d)\.", r"visual_encoder.blocks.\1.norm\2."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.mlp\.", r"visual_encoder.blocks.\1.mlp."),
)  # fmt: skip
_WORDS = "text_decoder.bert.embeddings.word_embeddings.weight"
_HEAD = "text_decoder.cls.predictions."
_BIASES = (f"{_HEAD}bias", f"{_HEAD}decoder.bias")


def official_names(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the tensors of a released file, or of one on the hub, by their released names."""
    if any(name.startswith(HUB_VISION) for name in tensors):
        tensors = _from_hub(tensors)
    if any(name.startswith("cls_head.") for name in tensors):
        tensors = _doubled(tensors)
    return tensors


def _from_hub(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    renamed = {_from_hub_name(name): tensor for name, tensor in tensors.items()}
    if _WORDS in renamed:  # files of safetensors hold tied tensors once
        renamed.setdefault(f"{_HEAD}decoder.weight", renamed[_WORDS])
        for name, other in (_BIASES, _BIASES[::-1]):
            if other in renamed:
                renamed.setdefault(name, renamed[other])
    return renamed


def _from_hub_name(name: str) -> str:
    for pattern, official in _HUB:
        name, count = re.subn(pattern, official, name)
        if count:
            break
    return name


def _doubled(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Give the tensors of a single cross-attention to both of its twins, unless they are there."""
    doubled = dict(tensors)
    for name, tensor in tensors.items():
        for part, twins in (
            ("crossattention.self.", ("crossattention.self0.", "crossattention.self1.")),
            (
                "crossattention.output.dense.",
                ("crossattention.output.dense0.", "crossattention.output.dense1."),
            ),
        ):
            if part in name:
                del doubled[name]
                for twin in twins:
                    doubled.setdefault(name.replace(part, twin), tensor)
    return doubled
