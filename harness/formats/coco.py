"""COCO's images, and the captions by the Karpathy split, which several benchmarks share."""

from harness.dataset import FLICKR_TERMS, NOT_STATED, Dataset, Digest, HubCopy, HubPart, Origin
from harness.formats.folder import Needed
from harness.formats.hub_rows import write_coco_captions

# Archive -> bytes, SHA-256. Source: `url_checksums` of TensorFlow Datasets.
IMAGE_ARCHIVES = {
    "train2014": (
        13_510_573_713,
        "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
    ),
    "val2014": (
        6_645_013_297,
        "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
    ),
    "test2015": (
        13_270_587_935,
        "1a2aa896b81140a850a78fa8bff07d455698d2abf364ff05721763458a8101ca",
    ),
    "val2017": (
        815_585_330,
        "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
    ),
}


def coco_images(folder: str) -> Needed:
    """Return an image folder of COCO, where people have it and where X-VLM's code looks for it."""
    size, _ = IMAGE_ARCHIVES[folder]
    return Needed(
        (f"images/coco/{folder}", f"coco/{folder}", f"coco/images/{folder}", folder),
        f"the folder of COCO's {folder} images ({size / 1e9:.1f} GB)",
        _url(folder),
        folder=True,
    )


def coco_archive(folder: str) -> Origin:
    """Return the archive of an image folder of COCO."""
    size, sha256 = IMAGE_ARCHIVES[folder]
    return Origin(
        name=f"{folder}.zip",
        url=_url(folder),
        instructions=_url(folder),
        format="zip",
        licence=FLICKR_TERMS,
        members={f"{folder}/": f"images/coco/{folder}"},
        size=size,
        sha256=sha256,
        # JPEG files do not shrink in an archive: one that unpacks to far more is not COCO's.
        unpacked_limit=size * 11 // 10,
    )


def _url(folder: str) -> str:
    return f"http://images.cocodataset.org/zips/{folder}.zip"


KARPATHY_CITATION = "split: Karpathy and Fei-Fei 2015, arXiv 1412.2306"
# The captions of COCO and Flickr30K; size and SHA-256 by the same source.
KARPATHY_ARCHIVE = Origin(
    name="caption_datasets.zip",
    url="https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
    instructions="https://cs.stanford.edu/people/karpathy/deepimagesent/",
    format="zip",
    licence=NOT_STATED,
    members={
        "dataset_coco.json": "coco/dataset_coco.json",
        "dataset_flickr30k.json": "flickr30k/dataset_flickr30k.json",
    },
    size=36_745_453,
    sha256="4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
    unpacked_limit=10**9,
    mirror="Kaggle, shtvkumar/karpathy-splits, has a copy",
)

LAVIS = "salesforce/LAVIS, lavis/configs/datasets/coco"
# `json.dumps` wrote ALBEF's lists, so the MD5 of their bytes is that of their content.
TEST_LIST, VAL_LIST = (
    Digest("md5", md5, LAVIS, content=md5)
    for md5 in ("3ff34b0ef2db02d01c37399f6a2a6cd1", "b273847456ef5580e33713b1f7de52a0")
)
# Folders of captions in the layouts of ALBEF and X-VLM, of BLIP and of LAVIS.
CAPTION_FOLDERS = ("karpathy/", "data/finetune/", "finetune/", "data/", "annotation/", "")


def caption_lists(collection: str, split: str) -> Needed:
    """Return the captions of a collection by the Karpathy split: the original file, or a list.

    The list of COCO is known by two names, `coco_test.json` and `coco_karpathy_test.json`, which
    are the same file.
    """
    names = [f"{collection}_{split}.json"]
    if collection == "coco":
        names.append(f"coco_karpathy_{split}.json")
    folders = (f"{collection}/", f"{collection}/annotations/", *CAPTION_FOLDERS)
    return Needed(
        tuple(
            f"{folder}{name}"
            for name in (f"dataset_{collection}.json", *names)
            for folder in folders
        ),
        "the captions by the Karpathy split: its own file, or ALBEF's list",
        KARPATHY_ARCHIVE.address,
    )


COCO_CAPTIONS = Dataset(
    citation="Chen et al. 2015, Microsoft COCO Captions, arXiv 1504.00325; " + KARPATHY_CITATION,
    origins=(coco_archive("val2014"), KARPATHY_ARCHIVE),
    digests={
        "coco_test.json": TEST_LIST,
        "coco_karpathy_test.json": TEST_LIST,
        "coco_val.json": VAL_LIST,
        "coco_karpathy_val.json": VAL_LIST,
    },
    # Computed from the list of test, whose captions are COCO's own.
    images={"test": "e4b1cc5d98469c3a894fa7b2b93ccdd958dd747b86115d23ac974bd9086a6a1c"},
    contents={"test": "96b8481b2bf2504edf1b27d152429054ef9f7f5cf1fd7eb8f679897cfa6b66e2"},
    # Source: TensorFlow Datasets, coco_captions.
    counts={
        "test": {"samples": 5_000, "captions": 25_010},
        "val": {"samples": 5_000, "captions": 25_010},
    },
    # Text only: the images come from COCO's archive.
    hub=HubCopy(
        repository="yerevann/coco-karpathy",
        revision="b6cdca8a4fe0f67b7bdcb03d6ed2def420f5a9dd",
        format="karpathy",
        parts=(HubPart(splits=("test", "val"), hub_splits=("test", "validation")),),
        licence=NOT_STATED,
        convert=write_coco_captions,
    ),
)
