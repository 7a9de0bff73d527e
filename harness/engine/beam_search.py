"""Beam search by the rules behind X-VLM's captions: those of transformers 4.12.5, changed since.

Golden `g_caption` pins the rules down. Of an image's 2 n likeliest continuations (n beams), an end
token counts only among the first n. A finished text scores the sum of its log-probabilities, its
end included, divided by its length without the end. An image is done when it has n finished texts
and the worst of them scores no less than the likeliest continuation divided by the current length.
At the maximum length, open beams count as finished.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from harness.engine.finite import nan_error


@dataclass(frozen=True)
class Beams:
    """The number of beams, and the lengths of texts in tokens, the prompt included.

    The log-probability of a token that a beam holds already, prompt included, is multiplied by
    `repetition_penalty`. One beam is greedy search.
    """

    width: int
    max_length: int
    min_length: int
    repetition_penalty: float = 1.0

    def __str__(self) -> str:
        penalty = self.repetition_penalty
        rest = "" if penalty == 1 else f"|repetition penalty {penalty}"
        return f"{self.width} beams|{self.min_length} to {self.max_length} tokens{rest}"


class Hypothesis(NamedTuple):
    """A finished text, with the prompt and without the end token, and its score."""

    score: float
    tokens: list[int]


class Decoder(Protocol):
    """The state of a decoder for n texts about each of G images; n is 1 at the beginning."""

    def next_log_probabilities(self) -> Tensor:
        """Return the log-probability of every next token, [G, n, vocabulary]."""
        ...

    def step(self, images: Tensor, beams: Tensor, tokens: Tensor) -> None:
        """Append `tokens` [G', n'] to the `beams` [G', n'] of `images` [G']; drop all others."""
        ...


class Finished:
    """The best finished texts of one image, at most as many as there are beams."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.texts: list[Hypothesis] = []

    def add(self, total: float, tokens: list[int]) -> None:
        """Keep a text if it is among the best; among equally bad ones, the oldest is dropped."""
        score = total / len(tokens)
        if len(self.texts) == self.width:
            worst = min(range(self.width), key=lambda number: self.texts[number].score)
            if score <= self.texts[worst].score:
                return
            del self.texts[worst]
        self.texts.append(Hypothesis(score, tokens))

    def is_done(self, likeliest: float) -> bool:
        """Whether no continuation, of at most `likeliest` a token, can replace a finished text."""
        full = len(self.texts) == self.width
        return full and min(text.score for text in self.texts) >= likeliest

    def best(self) -> Hypothesis:
        """Return the best text; among equally good ones, the newest."""
        return max(reversed(self.texts), key=lambda text: text.score)


def search(decoder: Decoder, *, prompt: list[int], end: int, beams: Beams) -> list[Hypothesis]:
    """Return the best text for each image. An image that is done leaves the batch.

    Raises ValueError for a prompt that leaves no room for a token, ModelError for probabilities
    that are NaN.
    """
    if len(prompt) >= beams.max_length:
        raise ValueError(f"a prompt of {len(prompt)} tokens in texts of at most {beams.max_length}")
    log_probabilities = decoder.next_log_probabilities()
    device, images = log_probabilities.device, len(log_probabilities)
    texts = torch.tensor(prompt, device=device).expand(images, 1, -1)
    total = torch.zeros(texts.shape[:2], device=device)
    finished = [Finished(beams.width) for _ in range(images)]
    open_images = list(range(images))
    while True:
        length = texts.shape[2]
        if beams.repetition_penalty != 1:
            repeated = log_probabilities.gather(-1, texts) * beams.repetition_penalty
            log_probabilities.scatter_(-1, texts, repeated)
        if length < beams.min_length:
            log_probabilities[..., end] = -torch.inf
        best = _continuations(log_probabilities + total[..., None], count=2 * beams.width)
        rows, ranks = [], []  # images that go on, and the ranks of their new beams
        tokens_of_texts: list[list[list[int]]] = []  # copied to the host only where a text ends
        by_image = zip(*(part.tolist() for part in best), strict=True)
        for row, (image, continuations) in enumerate(zip(open_images, by_image, strict=True)):
            sums, parents, tokens = continuations
            if math.isnan(sums[0]):  # the largest one, for `topk`
                raise nan_error("the next token of a text")
            for rank in range(beams.width):
                if tokens[rank] == end:
                    tokens_of_texts = tokens_of_texts or texts.tolist()
                    finished[image].add(sums[rank], tokens_of_texts[row][parents[rank]])
            if not finished[image].is_done(sums[0] / length):
                rows.append(row)
                ranks.append(_surviving_beams(tokens, end=end, width=beams.width))
        open_images = [open_images[row] for row in rows]
        if not open_images:
            break
        row_index, rank_index = (torch.tensor(part, device=device) for part in (rows, ranks))
        total, parent, token = (part[row_index].gather(1, rank_index) for part in best)
        texts = torch.cat([texts[row_index[:, None], parent], token[..., None]], dim=2)
        if length + 1 == beams.max_length:
            open_beams = zip(total.tolist(), texts.tolist(), strict=True)
            for image, (sums_of_image, texts_of_image) in zip(open_images, open_beams, strict=True):
                for text_sum, text in zip(sums_of_image, texts_of_image, strict=True):
                    finished[image].add(text_sum, text)
            break
        decoder.step(row_index, parent, token)
        log_probabilities = decoder.next_log_probabilities()
    return [of_image.best() for of_image in finished]


def _surviving_beams(tokens: list[int], *, end: int, width: int) -> list[int]:
    """Return the ranks of the `width` best continuations that do not end."""
    return [rank for rank, token in enumerate(tokens) if token != end][:width]


class _Continuations(NamedTuple):
    """The best continuations [G, count] of each image, in order: sum, parent beam and token."""

    sums: Tensor
    parent: Tensor
    token: Tensor


def _continuations(sums: Tensor, *, count: int) -> _Continuations:
    """Return the best continuations of all beams, `sums` [G, n, vocabulary].

    At the first step there is one text per image, n = 1: no copies of it compete.
    """
    best = sums.flatten(1).topk(count, dim=1)
    vocabulary = sums.shape[-1]
    return _Continuations(best.values, best.indices // vocabulary, best.indices % vocabulary)
