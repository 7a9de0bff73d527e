"""What is published about RefCOCO+'s files: where they lie and come from, official counts."""

from harness.dataset import NOT_STATED, Dataset, HubCopy, HubPart, Origin
from harness.formats.coco import coco_archive, coco_images
from harness.formats.folder import Needed
from harness.formats.hub_rows import write_refcoco

SPLITS = ("val", "testA", "testB")
ARCHIVE = Origin(
    name="refcoco+.zip",
    url=None,
    instructions="https://github.com/lichengunc/refer "
    "(its server is down; issue 14 there lists copies)",
    format="zip",
    licence=NOT_STATED,
    members={
        "refcoco+/refs(unc).p": "refcoco+/refs(unc).p",
        "refcoco+/instances.json": "refcoco+/instances.json",
    },
)
DATASET = Dataset(
    citation="Yu et al. 2016, Modeling Context in Referring Expressions, arXiv 1608.00272",
    origins=(coco_archive("train2014"), ARCHIVE),
    # Sources: lichengunc/refer; images and references also by the copies of jxu124 and lmms-lab.
    counts={
        "val": {"samples": 10_758, "images": 1_500, "references": 3_805},
        "testA": {"samples": 5_726, "images": 750, "references": 1_975},
        "testB": {"samples": 4_889, "images": 750, "references": 1_798},
    },
    hub=HubCopy(
        repository="lmms-lab/RefCOCOplus",
        revision="a283082593c437efc2bb9876d43bc3075cd914fe",
        format="refcoco",
        parts=(HubPart(splits=SPLITS, hub_splits=SPLITS),),
        licence=NOT_STATED,
        convert=write_refcoco,
    ),
)

SOURCE = f"{ARCHIVE.instructions}, file {ARCHIVE.name}"
FOLDERS = ("refcoco+", "data/finetune/refcoco+", "finetune/refcoco+")  # the second is X-VLM's
REFS = Needed(
    tuple(f"{folder}/refs(unc).p" for folder in FOLDERS),
    "the references, UNC split",
    SOURCE,
)
INSTANCES = Needed(
    tuple(f"{folder}/instances.json" for folder in FOLDERS),
    "the boxes of the references",
    SOURCE,
)
IMAGES = coco_images("train2014")
FLAT_NAMES = {
    "val": "refcoco+_val.json",
    "testA": "refcoco+_test.json",
    "testB": "refcoco+_test.json",
}
FLAT_FOLDERS = ("data/finetune/refcoco+/", "data/finetune/", "finetune/", "refcoco+/", "")
FLAT = {
    split: Needed(
        tuple(f"{folder}{name}" for folder in FLAT_FOLDERS),
        "X-VLM's list of expressions",
        "the link in X-VLM's README",
        optional=True,
    )
    for split, name in FLAT_NAMES.items()
}
