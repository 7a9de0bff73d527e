"""A fixed list of answers as one tree of prefixes: what answers have in common is read once.

Of VQA's 3,128 answers most are one or two words long, and many begin alike. What a word is worth depends on the words before it alone, so
that a question needs one distribution over words for each distinct prefix, not for each word of each answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Prefixes(NamedTuple):
    """The prefixes that some answers to Q questions need: `nodes` [Q, n], filled up with 0, and `present` where they are no filling.

    `attention_mask` [Q, n, n] is true where a prefix goes through another one, or is it. `scored` [Q, c, D] is true for the words of the answers
    after the first; in their order, word `word[e]` comes after the prefix number `row[e]` of those that are there.
    """

    nodes: Tensor
    present: Tensor
    attention_mask: Tensor
    scored: Tensor
    row: Tensor
    word: Tensor


@dataclass(frozen=True)
class AnswerTree:
    """Answers by what they have in common. Node 0 is the beginning of all; every other one is a prefix, known by its last token.

    `start` is the token that all begin with, `first` [A] the first word of each answer; its later words are `words` [A, D], each after the
    node `path` [A, D], both 0 where the answer has ended. Of nodes, `token` and `depth` [N], and `ancestors` [N, D] themselves and the nodes
    on the way to them, -1 where there are no more. `duplicate_of` [A] is the lowest answer with the same tokens.
    """

    start: int
    first: Tensor
    words: Tensor
    path: Tensor
    token: Tensor
    depth: Tensor
    ancestors: Tensor
    duplicate_of: Tensor

    @classmethod
    def of(cls, answers: Sequence[Sequence[int]]) -> "AnswerTree":
        """Grow the tree of answers given as tokens, from the common first one to the one that ends them."""
        number: dict[tuple[int, ...], int] = {(): 0}
        paths = [
            [
                number.setdefault(tuple(answer[1 : length + 1]), len(number))
                for length in range(1, len(answer) - 1)
            ]
            for answer in answers
        ]
        deepest = max(map(len, paths))
        duplicates: dict[tuple[int, ...], int] = {}
        ancestors = [
            [number[prefix[:length]] for length in range(1, len(prefix) + 1)] for prefix in number
        ]
        return cls(
            start=answers[0][0],
            first=torch.tensor([answer[1] for answer in answers]),
            words=_rows([answer[2:] for answer in answers], deepest, filler=0),
            path=_rows(paths, deepest, filler=0),
            token=torch.tensor([prefix[-1] if prefix else answers[0][0] for prefix in number]),
            depth=torch.tensor([len(prefix) for prefix in number]),
            ancestors=_rows(ancestors, deepest, filler=-1),
            duplicate_of=torch.tensor(
                [
                    duplicates.setdefault(tuple(answer), index)
                    for index, answer in enumerate(answers)
                ]
            ),
        )

    def to(self, device: torch.device) -> "AnswerTree":
        """Return the tree on a device."""
        parts = {
            name: part.to(device) for name, part in vars(self).items() if isinstance(part, Tensor)
        }
        return AnswerTree(start=self.start, **parts)

    def prefixes(self, chosen: Tensor) -> Prefixes:
        """Return what has to be read to know the words of the answers `chosen` [Q, c] after the first."""
        path = self.path[chosen]
        asked = path > 0
        needed = torch.zeros(len(chosen), len(self.token), dtype=torch.bool, device=chosen.device)
        needed.scatter_(1, path.flatten(1), True)[:, 0] = False  # the beginning was read before
        column = needed.long().cumsum(1) - 1
        count = needed.sum(1)
        there = torch.arange(int(count.max()), device=chosen.device) < count[:, None]
        question, node = needed.nonzero(as_tuple=True)
        nodes = torch.zeros(there.shape, dtype=torch.long, device=chosen.device)
        nodes[question, column[question, node]] = node
        sees = (self.ancestors[nodes][:, :, None] == nodes[:, None, :, None]).any(-1)
        before = (count.cumsum(0) - count)[
            :, None, None
        ]  # the nodes of the questions before this one
        row = before + column.gather(1, path.flatten(1)).view_as(path)
        return Prefixes(nodes, there, sees, asked, row[asked], self.words[chosen][asked])


def _rows(rows: Sequence[Sequence[int]], length: int, *, filler: int) -> Tensor:
    return torch.tensor([[*row, *[filler] * (length - len(row))] for row in rows], dtype=torch.long)
