"""NLVR2: accuracy over statements, consistency over the image pairs that share a statement.

Source: lil-lab/nlvr, `nlvr2/eval/metrics.py`. Golden `nlvr2_eval`.
"""

from collections.abc import Hashable, Mapping, Sequence


def group_of(identifier: str) -> str:
    """Return the consistency group of an example: `split-set-pair-sentence` without the pair.

    The text of the statement identifies no group: annotators wrote the same sentence for
    different sets of images.

    >>> group_of("dev-850-0-3"), group_of("dev-850-2-3")
    ('dev-850--3', 'dev-850--3')
    """
    split, number, _, sentence = identifier.split("-")
    return f"{split}-{number}--{sentence}"


def image_set_of(identifier: str) -> str:
    """Return the set of images that an example is about: `split-set-pair-sentence` to `split-set`.

    Two statements were written about most sets, so their groups share images.

    >>> image_set_of("dev-850-0-3"), image_set_of("dev-850-2-1")
    ('dev-850', 'dev-850')
    """
    return "-".join(identifier.split("-")[:2])


def accuracy(right: Sequence[bool]) -> float:
    """Return the share of statements judged correctly, in percent. Raises ValueError if empty.

    >>> accuracy([True, True, False, True])
    75.0
    """
    if not right:
        raise ValueError("no statement to score")
    return 100 * sum(right) / len(right)


def consistency(right: Sequence[bool], groups: Sequence[Hashable]) -> float:
    """Return the share of groups whose statements are all judged correctly, in percent.

    >>> consistency([True, True, False, True], ["a", "a", "b", "b"])
    50.0
    """
    return accuracy(list(consistent(right, groups).values()))


def consistent(right: Sequence[bool], groups: Sequence[Hashable]) -> Mapping[Hashable, bool]:
    """Return for each group, in order of appearance, whether all its statements are correct.

    >>> consistent([True, False, True], ["a", "b", "b"])
    {'a': True, 'b': False}
    """
    all_right: dict[Hashable, bool] = {}
    for correct, group in zip(right, groups, strict=True):
        all_right[group] = all_right.get(group, True) and correct
    return all_right
