"""Beam search by the rules behind X-VLM's captions: those of transformers 4.12.5, which later versions changed.

The rules, pinned down by golden `g_caption`: of the 2 n likeliest continuations of an image, an end of text counts only among the first n;
a finished text scores the sum of its log-probabilities, its end included, divided by its length without the end; an image is done when it
has n finished texts and the worst of them is no worse than the likeliest continuation divided by the length so far; at the longest length,
the open beams count as finished.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Beams:
    """How wide and how far to search; lengths count the prompt's tokens."""

    width: int
    max_length: int
    min_length: int

    def __str__(self) -> str:
        return f"{self.width} beams|{self.min_length} to {self.max_length} tokens"


class Hypothesis(NamedTuple):
    """A finished text, prompt included and end left out, with its score."""

    score: float
    tokens: list[int]


class Decoder(Protocol):
    """A decoder that stands before the next word of n texts for each of G images (one text each at the beginning)."""

    def next_log_probabilities(self) -> Tensor:
        """Return the log-probability of every word to come next, [G, n, vocabulary]."""
        ...

    def step(self, images: Tensor, beams: Tensor, words: Tensor) -> None:
        """Write `words` [G', n'] behind the texts `beams` [G', n'] of the images `images` [G']; all others are forgotten."""
        ...


class Finished:
    """The best finished texts of one image, at most as many as there are beams."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.texts: list[Hypothesis] = []

    def add(self, total: float, tokens: list[int]) -> None:
        """Keep a text if it is among the best; of equally bad ones the oldest goes."""
        score = total / len(tokens)
        if len(self.texts) == self.width:
            worst = min(range(self.width), key=lambda number: self.texts[number].score)
            if score <= self.texts[worst].score:
                return
            del self.texts[worst]
        self.texts.append(Hypothesis(score, tokens))

    def is_done(self, likeliest: float) -> bool:
        """Whether nothing that still comes, at most `likeliest` a token, is wanted any more."""
        return len(self.texts) == self.width and min(text.score for text in self.texts) >= likeliest

    def best(self) -> Hypothesis:
        """Return the best text; of equally good ones the newest."""
        return max(reversed(self.texts), key=lambda text: text.score)


def search(writer: Decoder, *, prompt: list[int], end: int, beams: Beams) -> list[Hypothesis]:
    """Return the best text for each image. An image that is done leaves the batch."""
    words = writer.next_log_probabilities()
    texts = torch.tensor(prompt, device=words.device).expand(len(words), 1, -1)
    total = torch.zeros(texts.shape[:2], device=words.device)
    finished = [Finished(beams.width) for _ in words]
    open_images = list(range(len(words)))
    while True:
        length = texts.shape[2]
        if length < beams.min_length:
            words[..., end] = -torch.inf
        found = _continuations(words + total[..., None], count=2 * beams.width)
        staying: list[int] = []
        chosen: list[list[int]] = []
        written: list[list[list[int]]] = []  # told only where a text ends
        told = zip(
            open_images, found.sums.tolist(), found.beam.tolist(), found.word.tolist(), strict=True
        )
        for row, (image, sums, said_by, said) in enumerate(told):
            for rank in range(beams.width):
                if said[rank] == end:
                    written = written or texts.tolist()
                    finished[image].add(sums[rank], written[row][said_by[rank]])
            if not finished[image].is_done(sums[0] / length):
                staying.append(row)
                chosen.append(
                    [rank for rank in range(2 * beams.width) if said[rank] != end][: beams.width]
                )
        open_images = [open_images[row] for row in staying]
        if not open_images:
            break
        rows, ranks = (
            torch.tensor(staying, device=words.device),
            torch.tensor(chosen, device=words.device),
        )
        total, beam, word = (part[rows].gather(1, ranks) for part in found)
        texts = torch.cat([texts[rows[:, None], beam], word[..., None]], dim=2)
        if length + 1 == beams.max_length:
            for image, sums, ways in zip(open_images, total.tolist(), texts.tolist(), strict=True):
                for one, tokens in zip(sums, ways, strict=True):
                    finished[image].add(one, tokens)
            break
        writer.step(rows, beam, word)
        words = writer.next_log_probabilities()
    return [texts_of_image.best() for texts_of_image in finished]


class _Continuations(NamedTuple):
    """The likeliest continuations [G, count] of each image, best first: the sum so far, which beam goes on, with which word."""

    sums: Tensor
    beam: Tensor
    word: Tensor


def _continuations(sums: Tensor, *, count: int) -> _Continuations:
    """Return the best of all beams and words, `sums` [G, n, vocabulary]. A single text stands for beams that are not open yet."""
    best = sums.flatten(1).topk(count, dim=1)
    return _Continuations(
        best.values, best.indices // sums.shape[-1], best.indices % sums.shape[-1]
    )
