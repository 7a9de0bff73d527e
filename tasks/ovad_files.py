"""What is published about OVAD's files: where they lie and come from, hashes, official counts."""

from harness.dataset import Dataset, Digest, Origin
from harness.formats.coco import coco_archive, coco_images
from harness.formats.folder import Needed

ARCHIVE = Origin(
    name="ovad.zip",
    url="https://lmb.informatik.uni-freiburg.de/resources/datasets/ovad.zip",
    instructions="https://ovad-benchmark.github.io",
    format="zip",
    licence="CC BY-NC-SA 4.0",
    members={"ovad2000.json": "ovad/ovad2000.json"},
    unpacked_limit=10**9,
)
DATASET = Dataset(
    citation="Bravo et al. 2023, Open-vocabulary Attribute Detection, arXiv 2211.12914",
    origins=(coco_archive("val2017"), ARCHIVE),
    digests={
        "ovad2000.json": Digest(
            "git-blob",
            "67584cb82cb38eff0d00f41a03ea22eaf943a004",
            "the copies in lmb-freiburg/ovqa and KyanChen/OvarNet, which are one blob",
        )
    },
    # The paper: about 14,300 boxes, of which the smallest do not count.
    counts={"box": {"samples": (14_000, 14_300), "attributes": 117}},
)

ANNOTATIONS = Needed(
    ("ovad/ovad2000.json", "ovad2000.json"), "the boxes and their attributes", ARCHIVE.address
)
IMAGES = coco_images("val2017")
