"""Where the files of the benchmarks come from: address, form, size, licence, and which of their parts go where in a data folder.

Sizes and SHA-256 of COCO's archives and of Karpathy's: `url_checksums` of TensorFlow Datasets. What can be had only by a form or from
Google Drive has no `url`: people have to ask for it, `how` says where.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FLICKR_TERMS = "images under Flickr's terms of use, research"
CC_BY = "CC BY 4.0"
NOT_STATED = "no licence stated"


@dataclass(frozen=True)
class Origin:
    """A file as it is published.

    `members` say what it holds: a member's path in the archive (a folder ends in `/`) -> its place below the data folder; of a file that
    is no archive, its own name. `size` is in bytes, `unpacked` what an archive may hold at most; None where it is not published.
    """

    name: str
    url: str | None
    how: str
    form: Literal["file", "zip", "tar", "folder"]
    licence: str
    members: Mapping[str, str]
    size: int | None = None
    sha256: str | None = None
    unpacked: int | None = None
    elsewhere: str = ""
    drive: str | None = None


def _coco(folder: str, *, size: int, sha256: str) -> Origin:
    url = f"http://images.cocodataset.org/zips/{folder}.zip"
    members = {f"{folder}/": f"images/coco/{folder}"}
    # JPEG files do not get smaller in an archive: one that unpacks to much more than its size is not COCO's.
    return Origin(
        f"{folder}.zip",
        url,
        url,
        "zip",
        FLICKR_TERMS,
        members,
        size=size,
        sha256=sha256,
        unpacked=size * 11 // 10,
    )


def _vqa(name: str, *members: str) -> Origin:
    url = f"https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa/{name}"
    places = {member: f"vqa/{member}" for member in members}
    return Origin(
        name, url, "https://visualqa.org/download.html", "zip", CC_BY, places, unpacked=10**9
    )


def _nlvr2(name: str, *, size: int, sha256: str) -> Origin:
    url = f"https://raw.githubusercontent.com/lil-lab/nlvr/master/nlvr2/data/{name}"
    how = "https://github.com/lil-lab/nlvr, folder nlvr2/data"
    return Origin(name, url, how, "file", CC_BY, {name: f"nlvr2/{name}"}, size=size, sha256=sha256)


BERT = "https://huggingface.co/google-bert/bert-base-uncased/resolve/86b5e0934494bd15c9632b12f734a8a67f723594/vocab.txt"

OPEN: tuple[Origin, ...] = (
    _coco("train2014", size=13_510_573_713, sha256="ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775"),
    _coco("val2014", size=6_645_013_297, sha256="fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0"),
    _coco("test2015", size=13_270_587_935, sha256="1a2aa896b81140a850a78fa8bff07d455698d2abf364ff05721763458a8101ca"),
    _coco("val2017", size=815_585_330, sha256="4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"),
    _vqa("v2_Questions_Val_mscoco.zip", "v2_OpenEnded_mscoco_val2014_questions.json"),
    _vqa("v2_Annotations_Val_mscoco.zip", "v2_mscoco_val2014_annotations.json"),
    _vqa("v2_Questions_Test_mscoco.zip", "v2_OpenEnded_mscoco_test2015_questions.json"),
    _nlvr2("dev.json", size=3_762_423, sha256="7c44bc7831c0e060ae7d31807c91cc0c9791322363d8d86828fb44a77f09ae88"),
    _nlvr2("test1.json", size=3_780_579, sha256="f49a6c512d6868f8faf3b3bbe1a816bf5e8643f13c1bf26e527a21b84e27e2ec"),
    Origin(
        "caption_datasets.zip",
        "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
        "https://cs.stanford.edu/people/karpathy/deepimagesent/",
        "zip",
        NOT_STATED,
        {"dataset_coco.json": "coco/dataset_coco.json", "dataset_flickr30k.json": "flickr30k/dataset_flickr30k.json"},
        size=36_745_453,
        sha256="4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
        unpacked=10**9,
        elsewhere="Kaggle, shtvkumar/karpathy-splits, has a copy",
    ),
    Origin(
        "ovad.zip",
        "https://lmb.informatik.uni-freiburg.de/resources/datasets/ovad.zip",
        "https://ovad-benchmark.github.io",
        "zip",
        "CC BY-NC-SA 4.0",
        {"ovad2000.json": "ovad/ovad2000.json"},
        unpacked=10**9,
    ),
    Origin("vocab.txt", BERT, "https://huggingface.co/google-bert/bert-base-uncased", "file", "Apache-2.0",
           {"vocab.txt": "bert-base-uncased/vocab.txt"}, size=231_508,
           sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
)  # fmt: skip

ASKED_FOR: tuple[Origin, ...] = (
    Origin(
        "nlvr2 images", None, "the form linked at https://lil.nlp.cornell.edu/nlvr/ (answered by mail, within about a week)", "folder",
        "research only", {"dev/": "images/nlvr2/dev", "test1/": "images/nlvr2/test1"},
    ),
    Origin(
        "flickr30k-images.tar.gz", None, "the form at https://forms.illinois.edu/sec/229675", "tar", FLICKR_TERMS + ", not commercial",
        {"flickr30k-images/": "images/flickr30k-images"}, size=4_400_000_000,
    ),
    Origin(
        "refcoco+.zip", None, "https://github.com/lichengunc/refer (its server is down; issue 14 there lists copies)", "zip", NOT_STATED,
        {"refcoco+/refs(unc).p": "refcoco+/refs(unc).p", "refcoco+/instances.json": "refcoco+/instances.json"},
    ),
    Origin(
        "X-VLM's lists", None, "the link `download json files` in the README of https://github.com/zengyan-97/X-VLM", "tar", "BSD-3-Clause",
        {"answer_list.json": "vqa/answer_list.json"}, drive="1XFz1Vtz7MCBLn4_1QEojhFJ5Iw3eH3X4",
    ),
)  # fmt: skip


def origin_of(places: tuple[str, ...]) -> Origin | None:
    """Return where what belongs at one of these places comes from, None where nobody has told us."""
    return next(
        (origin for origin in (*OPEN, *ASKED_FOR) if set(origin.members.values()) & set(places)),
        None,
    )
