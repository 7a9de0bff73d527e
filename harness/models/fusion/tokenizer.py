"""BERT's word pieces after [CLS], without [SEP]: the tokenizer of X-VLM and ALBEF."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import tokenizers
import torch
from tokenizers import BertWordPieceTokenizer
from tokenizers.models import WordPiece
from torch import Tensor

from harness.errors import CheckpointError, DataError
from harness.files.kinds import read_text
from harness.models.fusion.basic_tokens import split_words

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SPECIAL_IN_TEXT = re.compile(f"({'|'.join(map(re.escape, SPECIAL))})")
MAX_WORD = 100  # characters; a longer word is unknown
CACHED = 2**16  # words; most texts of a benchmark consist of the same few thousand
# The words of printable ASCII in lower case: a punctuation mark is a word.
ASCII_WORDS = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
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
        # The first token of a text that is fused with an image, and of one that is decoded.
        self.begin_fused = self.begin_decoded = self.cls
        # A special token written in a text is that token, e.g. the [SEP] that ends an answer.
        self._bert = BertWordPieceTokenizer(ids, lowercase=True)
        self._special = {token: ids[token] for token in SPECIAL}
        # The same pieces of words that are split already.
        self._word_pieces = tokenizers.Tokenizer(
            WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=MAX_WORD)
        )
        self._ids_of_word = lru_cache(CACHED)(self._encode_word)

    def __len__(self) -> int:
        return len(self.pieces)

    def ids(self, text: str, *, max_tokens: int | None = None) -> list[int]:
        """Return [CLS] and the word pieces of a text (the reference's `tokenization_bert.py`).

        What exceeds `max_tokens` is cut.
        """
        return [self.cls, *self.piece_ids(text)][:max_tokens]

    def piece_ids(self, text: str) -> list[int]:
        """Return the word pieces of a text, and the special tokens written in it."""
        ids: list[int] = []
        if text.isascii():
            if text.isprintable() and "[" not in text:  # most texts, in a seventh of the time
                for word in ASCII_WORDS.findall(text.lower()):
                    ids += self._ids_of_word(word)
                return ids
            ids += self._bert.encode(text, add_special_tokens=False).ids
            return ids
        for part in SPECIAL_IN_TEXT.split(text):
            if part in SPECIAL:
                ids.append(self._special[part])
            elif words := split_words(part):
                ids += self._word_pieces.encode(words, is_pretokenized=True).ids
        return ids

    def _encode_word(self, word: str) -> tuple[int, ...]:
        return tuple(self._word_pieces.encode([word], is_pretokenized=True).ids)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of tokens without the special ones, cleaned up as in transformers 4."""
        text: str = self._bert.decode(list(ids), skip_special_tokens=True)
        for old, new in CLEANED_UP:
            text = text.replace(old, new)
        return text

    def batch(self, texts: Sequence[str], *, max_tokens: int | None = None) -> Tokens:
        """Return texts padded to the longest of them, each cut after `max_tokens`."""
        rows = [self.ids(text, max_tokens=max_tokens) for text in texts]
        longest = max(map(len, rows), default=0)
        ids = [row + [self.pad] * (longest - len(row)) for row in rows]
        present = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return Tokens(torch.tensor(ids, dtype=torch.long), torch.tensor(present, dtype=torch.long))


def _read_pieces(vocabulary: Path) -> list[str]:
    try:
        pieces = read_text(vocabulary).split("\n")
    except DataError as error:
        raise CheckpointError(f"{vocabulary}: cannot be read as a vocabulary ({error})") from error
    pieces = pieces[:-1] if pieces[-1] == "" else pieces
    missing = ", ".join(token for token in SPECIAL if token not in pieces)
    if missing:
        raise CheckpointError(f"{vocabulary}: is not a BERT vocabulary: {missing} missing")
    if len(set(pieces)) != len(pieces):
        raise CheckpointError(f"{vocabulary}: repeats a word piece")
    return pieces
