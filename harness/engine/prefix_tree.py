"""A fixed list of answers as a tree of prefixes, so that a shared prefix is decoded once.

Most of VQA's 3,128 answers are one or two words long, and many begin alike. The distribution over
the next token depends on the tokens before it alone: a question needs one distribution for each
distinct prefix, not for each token of each answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Prefixes(NamedTuple):
    """The prefixes needed to score some answers to Q questions.

    `nodes` [Q, n] are padded with 0; `present` [Q, n] is False at padding. `attention_mask`
    [Q, n, n] is True where a node may attend to another: its ancestors and itself. `scored`
    [Q, c, D] is True for every token of the answers after the first; in this order, `token` [E]
    follows the prefix `row` [E], an index into the prefixes present, flattened.
    """

    nodes: Tensor
    present: Tensor
    attention_mask: Tensor
    scored: Tensor
    row: Tensor
    token: Tensor


@dataclass(frozen=True)
class AnswerTree:
    """A tree of N prefixes over A answers; node 0, the root, is the empty prefix.

    `start` is the token that all answers begin with, `first` [A] the first token of each after it.
    The later tokens are `later` [A, D], each predicted at the node `path` [A, D]; both are padded
    with 0. A node ends with `token` [N] at `depth` [N]; `ancestors` [N, D] are the nodes on its
    path, itself included and the root excluded, padded with -1. `duplicate_of` [A] is the first
    answer with the same tokens.
    """

    start: int
    first: Tensor
    later: Tensor
    path: Tensor
    token: Tensor
    depth: Tensor
    ancestors: Tensor
    duplicate_of: Tensor

    @classmethod
    def of(cls, answers: Sequence[Sequence[int]]) -> "AnswerTree":
        """Build the tree of answers given as tokens, from the common first to the last one."""
        node_of: dict[tuple[int, ...], int] = {(): 0}
        paths = [
            [
                node_of.setdefault(tuple(answer[1 : length + 1]), len(node_of))
                for length in range(1, len(answer) - 1)
            ]
            for answer in answers
        ]
        ancestors = [
            [node_of[prefix[:length]] for length in range(1, len(prefix) + 1)] for prefix in node_of
        ]
        original: dict[tuple[int, ...], int] = {}
        duplicates = [
            original.setdefault(tuple(answer), index) for index, answer in enumerate(answers)
        ]
        deepest = max(map(len, paths))
        return cls(
            start=answers[0][0],
            first=torch.tensor([answer[1] for answer in answers]),
            later=_padded([answer[2:] for answer in answers], deepest, filler=0),
            path=_padded(paths, deepest, filler=0),
            token=torch.tensor([prefix[-1] if prefix else answers[0][0] for prefix in node_of]),
            depth=torch.tensor([len(prefix) for prefix in node_of]),
            ancestors=_padded(ancestors, deepest, filler=-1),
            duplicate_of=torch.tensor(duplicates),
        )

    def to(self, device: torch.device) -> "AnswerTree":
        """Return the tree on a device."""
        parts = {
            name: part.to(device) for name, part in vars(self).items() if isinstance(part, Tensor)
        }
        return AnswerTree(start=self.start, **parts)

    def prefixes(self, chosen: Tensor) -> Prefixes:
        """Return the prefixes that score the answers `chosen` [Q, c] after their first tokens."""
        path = self.path[chosen]
        scored = path > 0
        needed = torch.zeros(len(chosen), len(self.token), dtype=torch.bool, device=chosen.device)
        needed.scatter_(1, path.flatten(1), True)[:, 0] = False  # the root needs no decoding
        column = needed.long().cumsum(1) - 1
        count = needed.sum(1)
        present = torch.arange(int(count.max()), device=chosen.device) < count[:, None]
        question, node = needed.nonzero(as_tuple=True)
        nodes = torch.zeros(present.shape, dtype=torch.long, device=chosen.device)
        nodes[question, column[question, node]] = node
        attended = (self.ancestors[nodes][:, :, None] == nodes[:, None, :, None]).any(-1)
        nodes_before = (count.cumsum(0) - count)[:, None, None]  # of the questions before
        row = nodes_before + column.gather(1, path.flatten(1)).view_as(path)
        return Prefixes(nodes, present, attended, scored, row[scored], self.later[chosen][scored])


def _padded(rows: Sequence[Sequence[int]], length: int, *, filler: int) -> Tensor:
    return torch.tensor([[*row, *[filler] * (length - len(row))] for row in rows], dtype=torch.long)
