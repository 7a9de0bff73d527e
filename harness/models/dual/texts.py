"""Texts as the authors of dual encoders tokenize them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, first_line

GEMMA_PIECES = 256_000  # SigLIP 2 reads Gemma's word pieces, and was trained on lower-case texts


@dataclass(frozen=True)
class TextTransform:
    """How a text becomes token ids.

    length  of every row, padded: SigLIP pools the last position, and was trained with padding.
            CLIP pools the end of the text, so that padding does not matter to it
    lower   whether texts are put into lower case first
    prompt  text before every text
    """

    tokenizer: Any
    length: int
    lower: bool
    prompt: str

    @property
    def protocol(self) -> str:
        """The transform in a protocol string."""
        lower = "|lower-case" if self.lower else ""
        prompt = f"|prompt {self.prompt!r}" if self.prompt else ""
        return f"{self.length}-tokens{lower}{prompt}"

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens [T, length] of texts.

        No mask belongs to them: CLIP's attention is causal and ends where the text does, SigLIP
        attends to its padding.
        """
        written = [self.prompt + text for text in texts]
        encoded = self.tokenizer(
            [text.lower() for text in written] if self.lower else written,
            padding="max_length",
            max_length=self.length,
            truncation=True,
        )
        ids: list[list[int]] = encoded["input_ids"]
        return ids


def read_tokenizer(folder: Path, *, pieces: int) -> Any:
    """Return the tokenizer in a folder.

    `pieces` is the size of the vocabulary in the model's configuration. Raises CheckpointError for
    a folder without a tokenizer, or with another one: transformers silently makes one of five
    pieces from nothing.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers raises dozens of kinds
        raise CheckpointError(
            f"{folder}: holds no tokenizer that can be read ({first_line(error)})"
        ) from error
    if not pieces * 0.9 <= len(tokenizer) <= pieces:
        raise CheckpointError(
            f"{folder}: its tokenizer has {len(tokenizer)} word pieces, but the model was trained "
            f"with {pieces}; get tokenizer.json (or vocab.json and merges.txt) from where the "
            "weights come from"
        )
    return tokenizer
