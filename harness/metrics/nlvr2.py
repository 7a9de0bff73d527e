"""NLVR2: accuracy over statements, and consistency over groups of image pairs that share one.

Source: lil-lab/nlvr, `nlvr2/eval/metrics.py`. Golden `nlvr2_eval`.
"""

from collections.abc import Hashable, Mapping, Sequence


def group_of(identifier: str) -> str:
    """Return the consistency group of an example: its identifier `split-set-pair-sentence` without the pair.

    Grouping by the text of the statement gives other groups: people wrote the same sentence for different sets.
    """
    split, number, _, sentence = identifier.split("-")
    return f"{split}-{number}--{sentence}"


def accuracy(right: Sequence[bool]) -> float:
    """Return the share of statements judged rightly, in percent. Raises ValueError for none at all: missing is not zero."""
    if not right:
        raise ValueError("no statement to score")
    return 100 * sum(right) / len(right)


def consistency(right: Sequence[bool], groups: Sequence[Hashable]) -> float:
    """Return the share of groups in which every statement is judged rightly, in percent."""
    return accuracy(list(consistent(right, groups).values()))


def consistent(right: Sequence[bool], groups: Sequence[Hashable]) -> Mapping[Hashable, bool]:
    """Return for each group whether every statement in it is judged rightly."""
    found: dict[Hashable, bool] = {}
    for judged, group in zip(right, groups, strict=True):
        found[group] = found.get(group, True) and judged
    return found
