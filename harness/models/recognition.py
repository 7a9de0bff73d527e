"""The family of a weight file, by the names of its tensors: for a file given to another family."""

from collections.abc import Iterable

from harness.errors import CheckpointError

TITLES = {"xvlm": "X-VLM", "albef": "ALBEF", "blip": "BLIP", "dual": "a dual encoder such as CLIP"}
# BERT's embedding of segments, which BLIP's text models (models/med.py) lack.
SEGMENTS = "embeddings.token_type_embeddings.weight"


def family_of(names: Iterable[str]) -> str | None:
    """Return the family that tensors of these names belong to; None for none of TITLES."""
    names = list(names)

    def holds(*prefixes: str) -> bool:
        return any(name.startswith(prefixes) for name in names)

    if holds("vision_encoder."):
        return "xvlm"
    if holds("visual_encoder.") and holds("text_encoder.", "text_decoder."):
        return "albef" if any(name.endswith(SEGMENTS) for name in names) else "blip"
    if holds("vision_model."):
        return "dual" if holds("text_model.") else "blip"  # in the layout of transformers
    return None


def refuse_other_family(names: Iterable[str], family: str) -> None:
    """Raise CheckpointError where tensors of these names belong to another family than `family`."""
    other = family_of(names)
    if other is not None and other != family:
        raise CheckpointError(
            f"is a checkpoint of {TITLES[other]}, not of {TITLES[family]}; "
            f"name its family with --model {other}"
        )
