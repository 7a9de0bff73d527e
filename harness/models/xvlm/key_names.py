"""The names of tensors in the released files, and the networks' names for them."""

from collections.abc import Iterable

COMPUTED = ("relative_position_index", "attn_mask", "position_ids")  # they follow from the sizes


def without_buffers(names: Iterable[str]) -> list[str]:
    """Return the names of parameters among the names in a file."""
    return [name for name in names if not name.endswith(COMPUTED)]


def without_bert(name: str) -> str:
    """Return a network's name for a tensor of a pre-training file.

    Such files name the text encoder `text_encoder.bert.*`, all others `text_encoder.*`. As in the
    reference, `bert.` is removed wherever it occurs in the text encoder's names.
    """
    return name.replace("bert.", "") if name.startswith("text_encoder.") else name
