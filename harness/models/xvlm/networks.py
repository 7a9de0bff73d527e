"""Checkpoints to networks: the head that a file has, and every one of its weights in place."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from harness.errors import CapabilityError, CheckpointError
from harness.models.filling import fill, unfilled
from harness.models.xvlm.checkpoint import HEADS, Checkpoint
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
    decoding,
    fused,
)
from harness.models.xvlm.key_names import without_bert, without_buffers

N = TypeVar("N", bound=nn.Module)
TEMPERATURE = "temp"  # of the contrastive loss: learnt and stored, but used in training only
WITH_BERT_IN_NAMES = ("pretrain", "bbox", "retrieval")


def grounding_network(checkpoint: Checkpoint) -> GroundingNetwork:
    """Return the network of a `bbox` or `pretrain` checkpoint.

    Like all functions of this module, it raises CapabilityError for a checkpoint with another head,
    and CheckpointError where a weight is missing, left over or of another shape.
    """
    _require(
        checkpoint,
        "grounding",
        "a bbox_head (for RefCOCO+ the release has refcoco_bbox/checkpoint_best.pth)",
        ("bbox", "pretrain"),
    )
    return _filled(
        checkpoint, lambda: GroundingNetwork(fused(checkpoint.architecture)), heads=("bbox_head.",)
    )


def retrieval_network(checkpoint: Checkpoint) -> RetrievalNetwork:
    """Return the network of a `retrieval` or `pretrain` checkpoint."""
    _require(
        checkpoint,
        "comparing images and texts",
        "an itm_head (itr_coco/checkpoint_9.pth, ...)",
        ("retrieval", "pretrain"),
    )
    width = checkpoint.tensors.get("vision_proj.weight", torch.empty(0)).shape[0]
    return _filled(
        checkpoint,
        lambda: RetrievalNetwork(fused(checkpoint.architecture), feature_width=width),
        heads=("itm_head.", "vision_proj.", "text_proj."),
    )


def answering_network(checkpoint: Checkpoint) -> AnsweringNetwork:
    """Return the network of a `vqa` checkpoint."""
    _require(
        checkpoint,
        "answering questions",
        "a text_encoder and a text_decoder (vqa/model_state_epoch_9.th)",
        ("vqa",),
    )
    decoder = checkpoint.architecture.decoder
    if decoder is None:
        raise CheckpointError(f"{checkpoint.path}: its text decoder has no word embeddings")
    return _filled(
        checkpoint,
        lambda: AnsweringNetwork(fused(checkpoint.architecture), decoder),
        heads=("text_decoder.",),
    )


def pair_network(checkpoint: Checkpoint) -> PairNetwork:
    """Return the network of an `nlvr` checkpoint.

    Raises CheckpointError also where the two fusion layers of a pair differ in keys or values.
    """
    _require(
        checkpoint,
        "judging pairs of images",
        "a cls_head (nlvr/nlvr_ft/checkpoint_best.pth)",
        ("nlvr",),
    )
    network = _filled(
        checkpoint, lambda: PairNetwork(fused(checkpoint.architecture)), heads=("cls_head.",)
    )
    layers = network.text_encoder.fusion_layers
    for even, odd in zip(layers[::2], layers[1::2], strict=True):
        for part in ("key", "value"):
            first, second = (getattr(layer.crossattention.self, part) for layer in (even, odd))
            shared = torch.equal(first.weight, second.weight) and torch.equal(
                first.bias, second.bias
            )
            if not shared:
                raise CheckpointError(
                    f"{checkpoint.path}: the fusion layers of a pair, one for each image, have "
                    f"different {part}s; in X-VLM they share them"
                )
    return network


def captioning_network(checkpoint: Checkpoint) -> CaptioningNetwork:
    """Return the network of a `captioning` checkpoint."""
    _require(
        checkpoint,
        "captioning",
        "a text_decoder and no text_encoder (coco_capt_cider_step_41000.th)",
        ("captioning",),
    )
    return _filled(
        checkpoint,
        lambda: CaptioningNetwork(decoding(checkpoint.architecture)),
        heads=("text_decoder.",),
    )


def _require(checkpoint: Checkpoint, purpose: str, needed: str, kinds: tuple[str, ...]) -> None:
    if checkpoint.kind not in kinds:
        raise CapabilityError(
            f"{checkpoint.path}: is a checkpoint for {HEADS[checkpoint.kind]}; "
            f"{purpose} needs one with {needed}"
        )


def _filled(checkpoint: Checkpoint, build: Callable[[], N], *, heads: tuple[str, ...]) -> N:
    """Build a network and fill it strictly.

    A pre-training file has all heads: only the encoders and `heads` are taken from it.
    """
    try:
        with unfilled():
            network = build()
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error
    fill(network, _needed(checkpoint, heads), path=checkpoint.path)
    return network.eval().requires_grad_(False)


def _needed(checkpoint: Checkpoint, heads: tuple[str, ...]) -> Mapping[str, Tensor]:
    """Return the tensors of a file by the network's names."""
    source = {name: name for name in without_buffers(checkpoint.tensors) if name != TEMPERATURE}
    if checkpoint.kind in WITH_BERT_IN_NAMES:
        source = {without_bert(name): name for name in source}
    if checkpoint.kind == "pretrain":
        wanted = ("vision_encoder.", "text_encoder.", *heads)
        source = {
            name: old
            for name, old in source.items()
            if name.startswith(wanted) and not name.startswith("text_encoder.cls.")
        }
    return {name: checkpoint.tensors[old] for name, old in source.items()}
