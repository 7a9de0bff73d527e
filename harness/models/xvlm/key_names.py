"""The names of tensors in the released files, and the networks' names for them."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

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


WORDS, HEAD = "bert.embeddings.word_embeddings.weight", "cls.predictions."
# Tensors of a text decoder that are one in the network. Formats that store each tensor once, as
# safetensors does, keep only one of the names.
TIED = ((WORDS, f"{HEAD}decoder.weight"), (f"{HEAD}bias", f"{HEAD}decoder.bias"))
SHARED = re.compile(
    r"(text_encoder\.encoder\.layer\.)(\d+)(\.crossattention\.self\.(?:key|value)\..+)"
)


def with_tied_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with those added that the network ties to another one of the file.

    The word embeddings and the last matrix of a text decoder, the two names of its bias, and, in an
    NLVR2 checkpoint, the keys and values that the two fusion layers of a pair share.
    """
    complete = dict(tensors)
    for first, second in TIED:
        for name, other in ((first, second), (second, first)):
            name, other = f"text_decoder.{name}", f"text_decoder.{other}"
            if other in tensors:
                complete.setdefault(name, tensors[other])
    if any(name.startswith("cls_head.") for name in tensors):
        complete |= _shared_by_pairs(tensors)
    return complete


def _shared_by_pairs(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the keys and values that one layer of a pair lacks, from the other layer."""
    matches = [match for name in tensors if (match := SHARED.fullmatch(name))]
    queries = [
        int(number)
        for name in tensors
        for number in re.findall(r"layer\.(\d+)\.crossattention\.self\.query\.weight", name)
    ]
    missing: dict[str, Tensor] = {}
    for match in matches:
        first, number = min(queries, default=0), int(match[2])
        partner = number + 1 if (number - first) % 2 == 0 else number - 1
        name = f"{match[1]}{partner}{match[3]}"
        if name not in tensors and partner in queries:
            missing[name] = tensors[match[0]]
    return missing
