"""BERT's word pieces after [CLS], without [SEP]: the tokenizer of X-VLM and ALBEF."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import BertWordPieceTokenizer
from torch import Tensor

from harness.errors import CheckpointError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLEANED_UP = (  # what transformers 4 replaces in decoded text, in this order
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


class Tokens(NamedTuple):
    """Token ids [N, T], padded with [PAD], and 1 for tokens, 0 for padding."""

    ids: Tensor
    present: Tensor


class Tokenizer:
    """Turn cleaned texts into token ids by a `vocab.txt` with one word piece a line."""

    def __init__(self, vocabulary: Path) -> None:
        """Read the vocabulary.

        Raises CheckpointError where the file is missing, lacks a special token or repeats a piece.
        """
        self.path = vocabulary
        self.pieces = _read_pieces(vocabulary)
        ids = {piece: number for number, piece in enumerate(self.pieces)}
        self.pad, self.cls, self.sep = ids["[PAD]"], ids["[CLS]"], ids["[SEP]"]
        # A special token written in a text is that token, e.g. the [SEP] that ends an answer.
        self._bert = BertWordPieceTokenizer(ids, lowercase=True)

    def __len__(self) -> int:
        return len(self.pieces)

    def ids(self, text: str) -> list[int]:
        """Return [CLS] and the word pieces of a text (the reference's `tokenization_bert.py`)."""
        return [self.cls, *self._bert.encode(text, add_special_tokens=False).ids]

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of tokens without the special ones, cleaned up as in transformers 4."""
        text: str = self._bert.decode(list(ids), skip_special_tokens=True)
        for old, new in CLEANED_UP:
            text = text.replace(old, new)
        return text

    def batch(self, texts: Sequence[str], *, max_tokens: int | None = None) -> Tokens:
        """Return texts padded to the longest of them, each cut after `max_tokens`."""
        rows = [self.ids(text)[:max_tokens] for text in texts]
        longest = max(map(len, rows), default=0)
        ids = [row + [self.pad] * (longest - len(row)) for row in rows]
        present = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return Tokens(torch.tensor(ids, dtype=torch.long), torch.tensor(present, dtype=torch.long))


def _read_pieces(vocabulary: Path) -> list[str]:
    try:
        pieces = vocabulary.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{vocabulary}: cannot be read as a vocabulary ({error})") from error
    pieces = pieces[:-1] if pieces[-1] == "" else pieces
    missing = [token for token in SPECIAL if token not in pieces]
    if missing:
        raise CheckpointError(f"{vocabulary}: is no BERT vocabulary: {', '.join(missing)} missing")
    if len(set(pieces)) != len(pieces):
        raise CheckpointError(f"{vocabulary}: repeats a word piece")
    return pieces
