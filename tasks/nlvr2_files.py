"""What is published about NLVR2's files: where they lie and come from, hashes, official counts."""

from harness.dataset import CC_BY, Dataset, Digest, Origin
from harness.formats.folder import Needed

ORIGINAL = {"dev": "dev", "test": "test1"}  # split -> its name in the official files

NLVR = "lil-lab/nlvr, commit 18924841, nlvr2/data"
DIGESTS = {
    "dev.json": Digest(
        "sha256",
        "7c44bc7831c0e060ae7d31807c91cc0c9791322363d8d86828fb44a77f09ae88",
        NLVR,
        content="d49e4ff781d11c375aa2125d10832754",
    ),
    "test1.json": Digest(
        "sha256",
        "f49a6c512d6868f8faf3b3bbe1a816bf5e8643f13c1bf26e527a21b84e27e2ec",
        NLVR,
        content="4afdf3738c8370663cfde0140bfa919c",
    ),
    "nlvr_test.json": Digest(
        "md5",
        "790c4d3d4a28eed04e0370030264d9e5",
        "X-VLM's and ALBEF's lists",
        content="790c4d3d4a28eed04e0370030264d9e5",
    ),
}


def _annotations(name: str, *, size: int) -> Origin:
    return Origin(
        name=name,
        url=f"https://raw.githubusercontent.com/lil-lab/nlvr/master/nlvr2/data/{name}",
        instructions="https://github.com/lil-lab/nlvr, folder nlvr2/data",
        format="file",
        licence=CC_BY,
        members={name: f"nlvr2/{name}"},
        size=size,
        sha256=DIGESTS[name].value,
    )


ANNOTATION_FILES = (
    _annotations("dev.json", size=3_762_423),
    _annotations("test1.json", size=3_780_579),
)
IMAGE_PACKAGE = Origin(
    name="nlvr2 images",
    url=None,
    instructions="the form linked at https://lil.nlp.cornell.edu/nlvr/ "
    "(answered by mail, within about a week)",
    format="folder",
    licence="research only",
    members={"dev/": "images/nlvr2/dev", "test1/": "images/nlvr2/test1"},
)

DATASET = Dataset(
    citation="Suhr et al. 2019, A Corpus for Reasoning about Natural Language Grounded in "
    "Photographs, arXiv 1811.00491",
    origins=(*ANNOTATION_FILES, IMAGE_PACKAGE),
    digests=DIGESTS,
    # Computed from the files, and counted in them.
    images={
        "dev": "a5b4b648e0434eb5ec746f63d30a76ebfea9ac3addf21e18cb7af5ed9d214d7c",
        "test": "fbf8f0207aa039c631ded3190947d0787063e78487e0929ebc400e40cf250983",
    },
    contents={
        "dev": "c170d2b90dce295270096cfdf810451c2778e04e7b8302da5e2a98060859a38a",
        "test": "c17275945a67f8ce06e08dd70965a011ec22fe7b395c00c80200bd363aa7a89a",
    },
    counts={
        "dev": {"samples": 6_982, "pairs": 4_051, "groups": 2_018, "true": 3_551},
        "test": {"samples": 6_967, "pairs": 4_041, "groups": 1_995, "true": 3_558},
    },
    no_hub="the copies on the hub hold only the balanced and unbalanced subsets, "
    "not the whole splits",
    image_note="NLVR2's are called PNG",
)

STATEMENTS = {
    split: Needed(
        tuple(f"{folder}/{original}.json" for folder in ("nlvr2", "nlvr2/data", "nlvr/nlvr2/data"))
        + tuple(
            f"{folder}nlvr_{split}.json"
            for folder in (
                *("data/finetune/", "finetune/", "nlvr2/", "data/", "annotation/"),
                *("nlvr/annotations/", ""),
            )
        ),
        "the statements, one a line, or X-VLM's list of them",
        ANNOTATION_FILES[0].instructions,
    )
    for split, original in ORIGINAL.items()
}
IMAGES = {
    split: Needed(
        tuple(
            f"{folder}/{original}"
            for folder in ("images/nlvr2", "nlvr2/images", "nlvr2", "nlvr/images")
        ),
        f"the folder of NLVR2's {original} images",
        IMAGE_PACKAGE.instructions,
        folder=True,
    )
    for split, original in ORIGINAL.items()
}
