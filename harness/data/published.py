"""What is known of the published files: their hashes, and how much a split holds. Holds for real data, never for the embedded benchmark.

Each fact has its source beside it. A folder whose numbers differ can be evaluated all the same; it is then not the official split.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError

LAVIS = "salesforce/LAVIS, lavis/configs/datasets/coco/defaults_cap.yaml"
NLVR = "lil-lab/nlvr, commit 18924841, nlvr2/data"
BLOCK = 2**20  # bytes read at a time


@dataclass(frozen=True)
class Digest:
    """The hash of a published file: `sha256`, `md5`, or `git-blob` (what `git hash-object` prints)."""

    algorithm: str
    value: str
    source: str


FILES: Mapping[str, Digest] = {  # by the name that a file has wherever it is published
    "dev.json": Digest(
        "sha256", "7c44bc7831c0e060ae7d31807c91cc0c9791322363d8d86828fb44a77f09ae88", NLVR
    ),
    "test1.json": Digest(
        "sha256", "f49a6c512d6868f8faf3b3bbe1a816bf5e8643f13c1bf26e527a21b84e27e2ec", NLVR
    ),
    "coco_karpathy_val.json": Digest("md5", "b273847456ef5580e33713b1f7de52a0", LAVIS),
    "coco_karpathy_test.json": Digest("md5", "3ff34b0ef2db02d01c37399f6a2a6cd1", LAVIS),
    "ovad2000.json": Digest(
        "git-blob",
        "67584cb82cb38eff0d00f41a03ea22eaf943a004",
        "the copies in lmb-freiburg/ovqa and KyanChen/OvarNet, which are one blob",
    ),
    "vocab.txt": Digest(
        "sha256",
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        "google-bert/bert-base-uncased, revision 86b5e093",
    ),
}

Count = int | tuple[int, int]  # a number, or a range where no more is published

# VQA: README of GT-Vision-Lab/VQA and visualqa.org; its list of answers: salesforce/ALBEF, issue 40. NLVR2: counted in the files. COCO:
# TensorFlow Datasets, coco_captions. Flickr30K: its copies on the hub, whose sizes agree. RefCOCO+: lichengunc/refer; references and images
# also by the copies of jxu124 and lmms-lab. OVAD: the paper's 117 attributes and about 14,300 boxes, of which the smallest do not count.
CHOICES = 3_128
COUNTS: Mapping[tuple[str, str], Mapping[str, Count]] = {
    ("vqav2", "val"): {
        "samples": 214_354,
        "images": 40_504,
        "answers": 2_143_540,
        "choices": CHOICES,
    },
    ("vqav2", "test-dev"): {"samples": 447_793, "images": 81_434, "choices": CHOICES},
    ("vqav2", "test"): {"samples": 447_793, "images": 81_434, "choices": CHOICES},
    ("nlvr2", "dev"): {"samples": 6_982, "pairs": 4_051, "groups": 2_018, "true": 3_551},
    ("nlvr2", "test"): {"samples": 6_967, "pairs": 4_041, "groups": 1_995, "true": 3_558},
    ("coco-caption", "test"): {"samples": 5_000, "captions": 25_010},
    ("coco-caption", "val"): {"samples": 5_000, "captions": 25_010},
    ("coco-retrieval", "test"): {"samples": 5_000, "captions": 25_010},
    ("coco-retrieval", "val"): {"samples": 5_000, "captions": 25_010},
    ("flickr30k-retrieval", "test"): {"samples": 1_000, "captions": 5_000},
    ("flickr30k-retrieval", "val"): {"samples": 1_014, "captions": 5_070},
    ("refcoco+", "val"): {"samples": 10_758, "images": 1_500, "references": 3_805},
    ("refcoco+", "testA"): {"samples": 5_726, "images": 750, "references": 1_975},
    ("refcoco+", "testB"): {"samples": 4_889, "images": 750, "references": 1_798},
    ("ovad", "box"): {"samples": (14_000, 14_300), "attributes": 117},
}


def objection(path: Path) -> str | None:
    """Return what is wrong with the content of a published file, None where nothing is known to be.

    Raises DataError where it cannot be read.
    """
    known = FILES.get(path.name)
    if known is None:
        return None
    found = digest_of(path, known.algorithm)
    return (
        None
        if found == known.value
        else f"its {known.algorithm} is {found}, but {known.value} in {known.source}"
    )


def deviations(task: str, split: str, counts: Mapping[str, int]) -> list[str]:
    """Return which of these counts of a split differ from the published ones, in words."""
    published = COUNTS.get((task, split), {})
    return [
        f"{count:,} {word}, officially {_words(published[word])}"
        for word, count in counts.items()
        if word in published and not _fits(count, published[word])
    ]


def digest_of(path: Path, algorithm: str) -> str:
    """Return the hash of a file in hexadecimal. Raises DataError where it cannot be read."""
    try:
        hasher = hashlib.sha1() if algorithm == "git-blob" else hashlib.new(algorithm)
        if algorithm == "git-blob":
            hasher.update(b"blob %d\0" % path.stat().st_size)
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                hasher.update(block)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return hasher.hexdigest()


def _fits(count: int, official: Count) -> bool:
    low, high = official if isinstance(official, tuple) else (official, official)
    return low <= count <= high


def _words(official: Count) -> str:
    return f"{official:,}" if isinstance(official, int) else f"{official[0]:,} to {official[1]:,}"
