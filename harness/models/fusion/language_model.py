"""BERT with a language model head: it decodes captions and answers."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from harness.engine.chunks import chunk_sizes_of
from harness.models.fusion.bert import Bert
from harness.models.fusion.layers import EPSILON
from harness.models.fusion.sizes import TextArchitecture


class Transform(nn.Module):
    """The head's hidden layer, [.., d] to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.activation = nn.GELU()
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, states: Tensor) -> Tensor:
        return self.LayerNorm(self.activation(self.dense(states)))


class PredictionHead(nn.Module):
    """The language model head, [.., d] to logits [.., vocabulary].

    Its last matrix is the word embedding (tied); its bias has two names in the checkpoints.
    """

    def __init__(self, text: TextArchitecture, words: nn.Embedding) -> None:
        super().__init__()
        self.transform = Transform(text.width)
        self.decoder = nn.Linear(text.width, text.vocabulary)
        self.decoder.weight = words.weight
        self.bias = self.decoder.bias

    def forward(self, states: Tensor) -> Tensor:
        return self.decoder(self.transform(states))


class OutputHeads(nn.Module):
    """The language model head under the name that checkpoints give it."""

    def __init__(self, text: TextArchitecture, words: nn.Embedding) -> None:
        super().__init__()
        self.predictions = PredictionHead(text, words)


class LanguageModel(nn.Module):
    """A BERT decoder, laid out as in pre-training checkpoints (`bert.*`, `cls.predictions.*`)."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.bert = Bert(text)
        self.cls = OutputHeads(text, self.bert.embeddings.word_embeddings)

    def log_probabilities(self, states: Tensor) -> Tensor:
        """Return the log-probability of every next token, [.., vocabulary], in float32."""
        logits: Tensor = self.cls.predictions(states)
        return logits.float().log_softmax(-1)

    def log_likelihood(self, states: Tensor, row: Tensor, token: Tensor) -> Tensor:
        """Return the log-probabilities [E] of tokens [E], each after the states of its row, [R, d].

        In float32, over `lm_head_rows` rows at a time: of a row's distribution over the whole
        vocabulary, only few tokens are needed.
        """
        order, rows = row.argsort(stable=True), chunk_sizes_of(states.device).lm_head_rows
        begins = torch.arange(0, len(states) + rows, rows, device=row.device)
        ends = torch.searchsorted(row[order], begins).tolist()
        likelihood = torch.empty(len(row), device=states.device)
        for number, (low, high) in enumerate(pairwise(ends)):
            entries, first = order[low:high], number * rows
            logits = self.cls.predictions(states[first : first + rows]).float()
            of_chunk = row[entries] - first
            likelihood[entries] = logits[of_chunk, token[entries]] - logits.logsumexp(-1)[of_chunk]
        return likelihood
