"""The authors' checkpoints: the head and sizes of a file, and whether a network fits it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from harness.errors import CheckpointError, DataError
from harness.files.parsing import read_json
from harness.models.filling import list_names
from harness.models.recognition import refuse_other_family
from harness.models.weights import read_tensors
from harness.models.xvlm.architecture import (
    Architecture,
    Hints,
    architecture_of,
    refuse_other_encoders,
)
from harness.models.xvlm.key_names import with_tied_tensors


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a file by their official names, the kind of its model, and its sizes.

    `kind` is one of `pretrain`, `retrieval`, `bbox`, `vqa`, `nlvr`, `captioning`.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    kind: str
    architecture: Architecture


HEADS = {
    "pretrain": "pre-training (all heads)",
    "retrieval": "retrieval (itm_head)",
    "bbox": "grounding (bbox_head)",
    "vqa": "question answering (text_decoder beside text_encoder)",
    "nlvr": "NLVR2 (cls_head)",
    "captioning": "captioning (text_decoder alone)",
}


def read_checkpoint(path: Path, configuration: Path | None = None) -> Checkpoint:
    """Read an official checkpoint (`.th`, `.pth`, `.safetensors`) without running its code.

    A `configuration` with official keys may hold the sizes that tensors leave open (see `Hints`).
    Raises CheckpointError for a file that is missing, broken, unsafe or no X-VLM.
    """
    tensors = with_tied_tensors(read_tensors(path))
    try:
        refuse_other_family(tensors, "xvlm")
        refuse_other_encoders(tensors)
        kind = _kind(tensors)
        architecture = architecture_of(tensors, _hints(configuration) if configuration else None)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"{path}: is incomplete: its sizes cannot be read from its tensors ({error})"
        ) from error
    return Checkpoint(path=path, tensors=tensors, kind=kind, architecture=architecture)


def _kind(tensors: Mapping[str, Tensor]) -> str:
    def holds(*prefixes: str) -> bool:
        return any(name.startswith(prefixes) for name in tensors)

    if holds("text_decoder."):
        return "vqa" if holds("text_encoder.") else "captioning"
    if holds("cls_head."):
        return "nlvr"
    if holds("text_encoder.bert."):
        return "pretrain"
    if holds("bbox_head."):
        return "bbox"
    if holds("itm_head."):
        return "retrieval"
    prefixes = sorted({name.split(".")[0] for name in tensors})
    raise CheckpointError(
        f"is not an X-VLM checkpoint: none of its tensors belongs to a head "
        f"(their names begin with {list_names(prefixes)})"
    )


def _hints(path: Path) -> Hints:
    """Return the heads and image side in a configuration; none in one of another tool."""
    try:
        config = read_json(path)
    except DataError:
        return Hints()
    config = config.get("config", config) if isinstance(config, dict) else None
    if not isinstance(config, dict):
        return Hints()
    text = config.get("text_config")
    given = {
        "image_res": config.get("image_res"),
        "num_attention_heads": (text if isinstance(text, dict) else {}).get("num_attention_heads"),
    }
    for name, value in given.items():
        if value is not None and (type(value) is not int or value < 1):
            raise CheckpointError(f"{path}: {name} is {value!r}, not a positive integer")
    return Hints(resolution=given["image_res"], text_heads=given["num_attention_heads"])
