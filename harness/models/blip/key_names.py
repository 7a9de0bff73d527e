"""The names of tensors in BLIP's released files and in those on the hub.

`official_names` returns those of the released files; the keys of an NLVR2 model that is loaded from
another file are doubled, as by `load_checkpoint` of models/blip_nlvr.py.
"""

from collections.abc import Mapping

from torch import Tensor

from harness.models.recognition import refuse_other_family

HUB_VISION = "vision_model."
_HUB = (  # parts of names of transformers' Blip* classes, replaced in this order
    (HUB_VISION, "visual_encoder."),
    ("embeddings.class_embedding", "cls_token"),
    ("embeddings.position_embedding", "pos_embed"),
    ("embeddings.patch_embedding.", "patch_embed.proj."),
    ("encoder.layers.", "blocks."),
    (".self_attn.projection.", ".attn.proj."),
    (".self_attn.", ".attn."),
    (".layer_norm", ".norm"),
    ("post_layernorm.", "norm."),
)
_WORDS = "text_decoder.bert.embeddings.word_embeddings.weight"
_HEAD = "text_decoder.cls.predictions."
_BIASES = (f"{_HEAD}bias", f"{_HEAD}decoder.bias")


def official_names(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the tensors of a released file, or of one on the hub, by their released names.

    Raises CheckpointError for those of another family.
    """
    refuse_other_family(tensors, "blip")
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
    if name.startswith(HUB_VISION):
        for part, official in _HUB:
            name = name.replace(part, official)
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
