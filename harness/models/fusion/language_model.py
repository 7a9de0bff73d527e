"""BERT with an output over words: what writes captions and answers, laid out as in the released checkpoints."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from harness.engine.chunks import chunk_sizes_of
from harness.engine.matmul import Linear, widened
from harness.models.fusion.bert import Bert
from harness.models.fusion.layers import EPSILON
from harness.models.fusion.sizes import TextArchitecture


class Transform(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = Linear(width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, states: Tensor) -> Tensor:
        return self.LayerNorm(self.dense.activated(states))


class PredictionHead(nn.Module):
    """BERT's output over words: [.., d] to logits [.., vocabulary]; its last matrix is the word embedding (tied)."""

    def __init__(self, text: TextArchitecture, words: nn.Embedding) -> None:
        super().__init__()
        self.transform = Transform(text.width)
        self.decoder = Linear(text.width, text.vocabulary)
        self.decoder.weight = words.weight
        self.bias = self.decoder.bias

    def settle(self, dtype: torch.dtype) -> None:
        """On a GPU, let the last matrix have aligned rows."""
        if self.decoder.weight.device.type == "cuda":
            self.decoder = widened(self.decoder)

    def forward(self, states: Tensor) -> Tensor:
        return self.decoder(self.transform(states))[..., : len(self.bias)]


class OutputHeads(nn.Module):
    def __init__(self, text: TextArchitecture, words: nn.Embedding) -> None:
        super().__init__()
        self.predictions = PredictionHead(text, words)


class LanguageModel(nn.Module):
    """A BERT with its output over words, laid out as in pre-training checkpoints (`bert.*`, `cls.predictions.*`)."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.bert = Bert(text)
        self.cls = OutputHeads(text, self.bert.embeddings.word_embeddings)

    def log_probabilities(self, states: Tensor) -> Tensor:
        """Return the log-probability of every word [.., vocabulary] to come after states [.., d], in float32."""
        logits: Tensor = self.cls.predictions(states)
        return logits.float().log_softmax(-1)

    def log_likelihood(self, states: Tensor, row: Tensor, word: Tensor) -> Tensor:
        """Return the log-probability [E] of each `word` [E] to come after the states of its `row` [E], out of [R, d], in float32.

        Some rows at a time: of a row's distribution, as wide as the vocabulary, only few words are wanted.
        """
        order, rows = row.argsort(stable=True), chunk_sizes_of(states.device).lm_head_rows
        ends = torch.searchsorted(
            row[order], torch.arange(0, len(states) + rows, rows, device=row.device)
        ).tolist()
        found = torch.empty(len(row), device=states.device)
        for number, (low, high) in enumerate(pairwise(ends)):
            wanted = order[low:high]
            logits = self.cls.predictions(states[number * rows : (number + 1) * rows]).float()
            among = row[wanted] - number * rows
            found[wanted] = logits[among, word[wanted]] - logits.logsumexp(-1)[among]
        return found
