"""X-VLM's own tokenising: BERT's WordPieces after [CLS], and no [SEP]."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from harness.errors import CheckpointError

REQUIRED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Tokens(NamedTuple):
    """Token ids [N, T], padded with [PAD], and 1 for each token that is one."""

    ids: Tensor
    present: Tensor


class Tokenizer:
    """Turn cleaned texts into token ids with the vocabulary of a `vocab.txt` (one WordPiece a line)."""

    def __init__(self, vocabulary: Path) -> None:
        """Read the vocabulary; raises CheckpointError where the file is missing, lacks a special token, or names a piece twice."""
        # Imported here: transformers costs over a second, and most commands never tokenise.
        from transformers import BertTokenizer

        self.path = vocabulary
        self.pieces = _pieces(vocabulary)
        # `vocab=`, never `vocab_file=`: transformers 5 silently takes the latter for a vocabulary of 5 tokens.
        self._bert = BertTokenizer(vocab=str(vocabulary), do_lower_case=True)
        if len(self._bert) != len(self.pieces):
            raise CheckpointError(
                f"{vocabulary}: holds {len(self.pieces)} pieces, but transformers made {len(self._bert)} of them"
            )

    def __len__(self) -> int:
        return len(self.pieces)

    def ids(self, text: str) -> list[int]:
        """Return [CLS] and the pieces of a text, without [SEP] (the reference's `tokenization_bert.py`)."""
        return [self._bert.cls_token_id, *self._bert.encode(text, add_special_tokens=False)]

    @property
    def cls(self) -> int:
        """The id of [CLS], with which every text begins."""
        return int(self._bert.cls_token_id)

    @property
    def sep(self) -> int:
        """The id of [SEP], which ends an answer and a caption."""
        return int(self._bert.sep_token_id)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of tokens without the special ones, blanks before marks removed as in transformers 4."""
        return str(
            self._bert.decode(
                list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=True
            )
        )

    def batch(self, texts: Sequence[str], *, max_tokens: int | None = None) -> Tokens:
        """Return the texts padded to the longest of them, each cut after `max_tokens`."""
        rows = [self.ids(text)[:max_tokens] for text in texts]
        longest = max(map(len, rows), default=0)
        ids = torch.tensor(
            [row + [self._bert.pad_token_id] * (longest - len(row)) for row in rows],
            dtype=torch.long,
        )
        present = torch.tensor(
            [[1] * len(row) + [0] * (longest - len(row)) for row in rows], dtype=torch.long
        )
        return Tokens(ids, present)


def _pieces(vocabulary: Path) -> list[str]:
    try:
        pieces = vocabulary.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{vocabulary}: cannot be read as a vocabulary ({error})") from error
    pieces = pieces[:-1] if pieces[-1] == "" else pieces
    missing = [token for token in REQUIRED if token not in pieces]
    if missing:
        raise CheckpointError(f"{vocabulary}: is no BERT vocabulary: {', '.join(missing)} missing")
    if len(set(pieces)) != len(pieces):
        raise CheckpointError(f"{vocabulary}: names a piece twice")
    return pieces
