"""Load a folder in the layout of transformers as a dual encoder."""

import json
from pathlib import Path
from typing import Any

from harness.checkpoints import Weights
from harness.engine.device import choose_device
from harness.errors import CheckpointError
from harness.files.parsing import read_json
from harness.models.dual.encoder import TransformersDualEncoder
from harness.models.dual.preprocessing import read_transform
from harness.models.dual.texts import GEMMA_PIECES, TextTransform, read_tokenizer

CLASSES = {"clip": "CLIPModel", "metaclip_2": "MetaClip2Model", "siglip": "SiglipModel"}


def load(weights: Weights, *, needs: type, device: str, dtype: str) -> TransformersDualEncoder:
    """Return the model in a folder of config.json, weights and tokenizer.

    Raises CheckpointError for a folder that holds something else.
    """
    chosen = choose_device(device, dtype)
    folder = weights.path if weights.path.is_dir() else weights.path.parent
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder}: holds no config.json; the family `dual` reads a folder in the layout of "
            "transformers (config.json, model.safetensors, a tokenizer), or a repository of the hub"
        )
    config, described = _read(folder / "config.json"), folder / "preprocessor_config.json"
    kind = config.get("model_type")
    if kind not in CLASSES:
        raise CheckpointError(
            f"{folder / 'config.json'}: describes a model of the type {kind!r}; the family `dual` "
            f"reads {', '.join(CLASSES)}"
        )
    network = _read_network(folder, CLASSES[kind])
    vision, text = network.config.vision_config, network.config.text_config
    siglip = kind == "siglip"
    transform = read_transform(
        _read(described) if described.is_file() else {}, side=vision.image_size, siglip=siglip
    )
    texts = TextTransform(
        read_tokenizer(folder, pieces=text.vocab_size),
        length=text.max_position_embeddings,
        lower=siglip and text.vocab_size == GEMMA_PIECES,
        prompt=weights.arguments.get("prompt", ""),
    )
    return TransformersDualEncoder(
        network,
        transform,
        texts,
        chosen,
        title=f"{kind}-cosine",
        provenance={"architecture": CLASSES[kind]},
    )


def _read_network(folder: Path, name: str) -> Any:
    """Read the weights strictly, in float32; pickled ones run no code."""
    import transformers

    try:
        network, report = getattr(transformers, name).from_pretrained(
            folder, local_files_only=True, output_loading_info=True, dtype="float32"
        )
    except Exception as error:  # transformers raises dozens of kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise CheckpointError(f"{folder}: cannot be read as a {name} ({reason})") from error
    for problem in ("missing_keys", "mismatched_keys"):
        if found := sorted(map(str, report.get(problem, ()))):
            raise CheckpointError(
                f"{folder}: is no complete {name}: {len(found)} {problem.replace('_', ' ')}, "
                f"e.g. {found[0]}"
            )
    return network


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: is not an object, but {json.dumps(content)[:80]}")
    return content
