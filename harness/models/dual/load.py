"""Load a folder in the layout of transformers as a dual encoder."""

import json
from pathlib import Path
from typing import Any

from harness.capabilities import AttributeMatcher, AttributePrompts
from harness.checkpoints import Weights
from harness.engine.device import choose_device
from harness.errors import CheckpointError, UsageError, first_line
from harness.files.parsing import read_json
from harness.models.dual.encoder import TransformersAttributeMatcher, TransformersDualEncoder
from harness.models.dual.preprocessing import CONFIG, read_transform
from harness.models.dual.texts import GEMMA_PIECES, TextTransform, read_tokenizer
from harness.models.fusion.settings import OVAD, Settings
from harness.models.weights import read_tensors

CLASSES = {"clip": "CLIPModel", "metaclip_2": "MetaClip2Model", "siglip": "SiglipModel"}
OPEN_CLIP = "open_clip_config.json"  # of repositories in open_clip's own layout
NAFLEX = "siglip2"  # the model type of variable resolution; a fixed one is of the type siglip


def load(
    weights: Weights, *, needs: type, device: str, dtype: str
) -> TransformersDualEncoder | TransformersAttributeMatcher:
    """Return the model in a folder of config.json, weights and tokenizer, or of a file in it.

    Raises CheckpointError for a folder that holds something else, UsageError for settings that
    make no sense.
    """
    chosen, settings = choose_device(device, dtype), _settings(weights, needs)
    folder = weights.path if weights.path.is_dir() else weights.path.parent
    config, described = _config(folder), folder / CONFIG
    kind = config["model_type"]
    network = _read_network(weights.path, CLASSES[kind])
    vision, text = network.config.vision_config, network.config.text_config
    siglip = kind == "siglip"
    transform = read_transform(
        _read(described) if described.is_file() else {},
        side=vision.image_size,
        siglip=siglip,
        where=str(described),
    )
    texts = TextTransform(
        read_tokenizer(folder, pieces=text.vocab_size),
        length=text.max_position_embeddings,
        lower=siglip and text.vocab_size == GEMMA_PIECES,
        prompt=weights.arguments.get("prompt", ""),
    )
    provenance, title = {"architecture": CLASSES[kind]}, f"{kind}-cosine"
    if needs is not AttributeMatcher:
        return TransformersDualEncoder(
            network, transform, texts, chosen, title=title, provenance=provenance
        )
    released = _released_prompts(kind, text.hidden_act)
    prompts = AttributePrompts(
        settings.ovad_prompt or released.prompt, settings.ovad_pooling or released.pooling
    )
    return TransformersAttributeMatcher(
        network, transform, texts, chosen, title=title, provenance=provenance, prompts=prompts
    )


def _settings(weights: Weights, needs: type) -> Settings:
    """Return the settings of OVAD; `prompt` is free text, and belongs to retrieval alone.

    Raises UsageError for an argument that changes nothing here.
    """
    reads = OVAD if needs is AttributeMatcher else ("prompt",)
    for name in weights.arguments:
        if name not in reads:
            raise UsageError(
                f"--model-args {name}: changes nothing of what {weights.name} does as "
                f"{needs.__name__}, which reads {', '.join(reads)}"
            )
    return Settings() if needs is not AttributeMatcher else Settings.of(weights.arguments)


def _released_prompts(kind: str, activation: str) -> AttributePrompts:
    """Return the flags behind OVAD's published rows of OpenAI's CLIP and of OpenCLIP.

    The configurations differ in the activation: OpenAI's weights use `quick_gelu`.
    """
    open_clip = kind == "clip" and activation != "quick_gelu"
    return AttributePrompts("a" if open_clip else "all", "max")


def _config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a model of one of the CLASSES.

    Raises CheckpointError, with what to do, for a folder of another layout or model.
    """
    path = folder / "config.json"
    if not path.is_file() and (folder / OPEN_CLIP).is_file():
        raise CheckpointError(
            f"{folder}: is in the layout of open_clip ({OPEN_CLIP}), not of transformers; take a "
            "repository that has config.json, model.safetensors and tokenizer.json too, or the "
            "same weights from another one"
        )
    if not path.is_file():
        raise CheckpointError(
            f"{folder}: holds no config.json; the family `dual` reads a folder in the layout of "
            "transformers (config.json, model.safetensors, a tokenizer), or a repository of the hub"
        )
    config = _read(path)
    kind = config.get("model_type")
    if kind == NAFLEX:
        raise CheckpointError(
            f"{path}: is a SigLIP 2 of variable resolution (NaFlex), whose images have no common "
            "size; take one of fixed resolution, e.g. google/siglip2-base-patch16-224"
        )
    if kind not in CLASSES:
        raise CheckpointError(
            f"{path}: describes a model of the type {kind!r}; the family `dual` reads "
            f"{', '.join(CLASSES)}"
        )
    return config


def _read_network(path: Path, name: str) -> Any:
    """Read the weights of a folder, or of a file in it, strictly, in float32; none run code."""
    import transformers

    kind = getattr(transformers, name)
    how = {"local_files_only": True, "output_loading_info": True, "dtype": "float32"}
    # transformers would read a folder's own file in place of the one that is named.
    tensors = read_tensors(path) if path.is_file() and path.name != "config.json" else None
    try:
        if tensors is None:
            folder = path if path.is_dir() else path.parent
            network, report = kind.from_pretrained(folder, **how)
        else:
            config = kind.config_class.from_pretrained(path.parent, local_files_only=True)
            network, report = kind.from_pretrained(None, config=config, state_dict=tensors, **how)
    except Exception as error:  # transformers raises dozens of kinds
        raise CheckpointError(
            f"{path}: cannot be read as a {name} ({first_line(error)})"
        ) from error
    for problem in ("missing_keys", "mismatched_keys"):
        if found := sorted(map(str, report.get(problem, ()))):
            raise CheckpointError(
                f"{path}: is not a complete {name}: {len(found)} {problem.replace('_', ' ')}, "
                f"e.g. {found[0]}"
            )
    return network


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: is not an object, but {json.dumps(content)[:80]}")
    return content
