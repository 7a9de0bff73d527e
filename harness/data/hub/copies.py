"""Which copies of the benchmarks on Hugging Face's hub hold the official splits, and in which version.

A copy is of use only if it has everything of a split and tells the splits apart. `revision` is a commit, or where we know none by its full
name, a branch: its commit is looked up at the first use and noted, and what was written then is used from there on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import MissingError

PREFIX = "hf"  # `--data hf`, or `--data hf:REPOSITORY@REVISION`, or `--data hf:FOLDER` for a copy on disk


@dataclass(frozen=True)
class Part:
    """What is read and written together: for these splits of a task, the hub's splits that hold them."""

    splits: tuple[str, ...]
    hub_splits: tuple[str, ...]


@dataclass(frozen=True)
class Copy:
    """A copy of a benchmark: `format` names the columns it has (a converter of `conversion`), `lacks` what else a run needs."""

    repository: str
    revision: str
    format: str
    parts: tuple[Part, ...]
    licence: str
    lacks: str = ""


KARPATHY = Copy(
    "yerevann/coco-karpathy",
    "b6cdca8a4fe0f67b7bdcb03d6ed2def420f5a9dd",
    "karpathy",
    (Part(("test", "val"), ("test", "validation")),),
    "not stated",
    lacks="it holds no images",
)

COPIES: Mapping[str, Copy] = {  # by task
    "vqav2": Copy(
        "lmms-lab/VQAv2",
        "main",
        "vqa",
        # Its `testdev` holds 107,394 questions; the server wants all of test2015 for test-dev too.
        (Part(("val",), ("validation",)), Part(("test-dev", "test"), ("test",))),
        "CC BY 4.0",
        lacks="it holds no list of answers to choose from",
    ),
    "coco-caption": KARPATHY,
    "coco-retrieval": KARPATHY,
    "flickr30k-retrieval": Copy(
        "nlphuji/flickr30k",
        "refs/convert/parquet",
        "flickr30k",
        # One split of the hub holds all 31,014 images; its column `split` tells Karpathy's splits.
        (Part(("test", "val"), ("test",)),),
        "images under Flickr's terms of use, not commercial",
    ),
    "refcoco+": Copy(
        "lmms-lab/RefCOCOplus",
        "a283082593c437efc2bb9876d43bc3075cd914fe",
        "refcoco",
        (Part(("val", "testA", "testB"), ("val", "testA", "testB")),),
        "not stated",
    ),
}
UNUSABLE: Mapping[str, str] = {  # by task: why there is none
    "nlvr2": "the copies on the hub hold only the balanced and unbalanced subsets, not the whole splits",
    "ovad": "no copy on the hub is known",
}


def copy_of(task: str) -> Copy:
    """Return the copy for a task. Raises MissingError where none is of use, saying why."""
    if task in COPIES:
        return COPIES[task]
    reason = UNUSABLE.get(task, "no copy on the hub is known")
    raise MissingError(
        f"{task}: cannot come from the hub: {reason}; name a folder with --data DIR (`xvlm-eval fetch` gets what is open)"
    )


def is_hub(words: str) -> bool:
    """Return whether `--data` names the hub, and not a folder."""
    return words == PREFIX or words.startswith(f"{PREFIX}:")
