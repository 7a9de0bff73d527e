"""Checkpoints to networks: which head a file has, and its weights in their places, every one of them."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from harness.errors import CapabilityError, CheckpointError
from harness.models.xvlm.adaptation import names_for_grounding, without_buffers
from harness.models.xvlm.checkpoint import HEADS, Checkpoint, fill
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
    decoding,
    fused,
)

N = TypeVar("N", bound=nn.Module)
TEMPERATURE = (
    "temp"  # of the contrastive loss: learnt, kept in the files, and used in training only
)


def grounding_network(checkpoint: Checkpoint) -> GroundingNetwork:
    """Return the network of a `bbox` or `pretrain` checkpoint.

    All of these functions raise CapabilityError for a checkpoint with another head, CheckpointError for one in which a weight is missing,
    left over or of another shape.
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
    heads = ("itm_head.", "vision_proj.", "text_proj.")
    return _filled(
        checkpoint,
        lambda: RetrievalNetwork(fused(checkpoint.architecture), feature_width=width),
        heads=heads,
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
    """Return the network of an `nlvr` checkpoint. Raises CheckpointError also where the layers of a pair do not share what they should."""
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
            if not (
                torch.equal(first.weight, second.weight) and torch.equal(first.bias, second.bias)
            ):
                raise CheckpointError(
                    f"{checkpoint.path}: two fusion layers that look at the two images have different {part}s; in X-VLM they share them"
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


def _require(checkpoint: Checkpoint, what: str, needed: str, kinds: tuple[str, ...]) -> None:
    if checkpoint.kind not in kinds:
        raise CapabilityError(
            f"{checkpoint.path}: is a checkpoint for {HEADS[checkpoint.kind]}; {what} needs one with {needed}"
        )


def _filled(checkpoint: Checkpoint, network: Callable[[], N], *, heads: tuple[str, ...]) -> N:
    """Build a network and fill it strictly; of a pre-training file, which has all heads, only the encoders and `heads` are taken."""
    try:
        built = network()
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error
    fill(built, _chosen(checkpoint, heads), path=checkpoint.path)
    return built.eval().requires_grad_(False)


def _chosen(checkpoint: Checkpoint, heads: tuple[str, ...]) -> Mapping[str, Tensor]:
    names = without_buffers(checkpoint.tensors)
    renamed = (
        names_for_grounding(names)
        if checkpoint.kind in ("pretrain", "bbox", "retrieval")
        else {name: name for name in names}
    )
    if checkpoint.kind == "pretrain":
        kept = ("vision_encoder.", "text_encoder.", *heads)
        renamed = {
            new: old
            for new, old in renamed.items()
            if new.startswith(kept) and not new.startswith("text_encoder.cls.")
        }
    return {new: checkpoint.tensors[old] for new, old in renamed.items() if new != TEMPERATURE}
