"""BLIP's tokenizer: BERT's word pieces between [CLS] and [SEP], and two more special tokens."""

from pathlib import Path

from harness.models.fusion.tokenizer import Tokenizer

ADDED = ("[DEC]", "[ENC]")  # begin a decoded text, and one that is fused with an image


class BlipTokenizer(Tokenizer):
    """Turn cleaned texts into token ids. (`init_tokenizer` of models/blip.py.)"""

    def __init__(self, vocabulary: Path) -> None:
        """Read the vocabulary, and add [DEC] and [ENC] behind it where it lacks them.

        Raises CheckpointError where the file is missing, lacks a special token or repeats a piece.
        """
        super().__init__(vocabulary)
        self._bert.add_special_tokens(list(ADDED))
        self.begin_decoded, self.begin_fused = map(self._bert.token_to_id, ADDED)

    def __len__(self) -> int:
        return int(self._bert.get_vocab_size())

    def ids(self, text: str, *, max_tokens: int | None = None) -> list[int]:
        """Return [CLS], the word pieces of a text, and [SEP], which survives the cut."""
        pieces = self.piece_ids(text)
        kept = pieces if max_tokens is None else pieces[: max_tokens - 2]
        return [self.cls, *kept, self.sep]
