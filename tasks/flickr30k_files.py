"""What is published about Flickr30K's files: where they come from, hashes, official counts."""

from harness.dataset import FLICKR_TERMS, Dataset, Digest, HubCopy, HubPart, Origin
from harness.formats.coco import KARPATHY_ARCHIVE, KARPATHY_CITATION
from harness.formats.hub_rows import write_flickr30k

FLICKR30K_IMAGES = Origin(
    name="flickr30k-images.tar.gz",
    url=None,
    instructions="the form at https://forms.illinois.edu/sec/229675",
    format="tar",
    licence=f"{FLICKR_TERMS}, not commercial",
    members={"flickr30k-images/": "images/flickr30k-images"},
    size=4_400_000_000,
)
FLICKR30K = Dataset(
    citation="Young et al. 2014, From Image Descriptions to Visual Denotations, TACL 2; "
    + KARPATHY_CITATION,
    origins=(KARPATHY_ARCHIVE, FLICKR30K_IMAGES),
    digests={
        "flickr30k_test.json": Digest(
            "md5",
            "a1a112b1d04d838dc026a9d2435e2ef9",
            "salesforce/LAVIS, lavis/configs/datasets/flickr30k",
            content="a1a112b1d04d838dc026a9d2435e2ef9",
        )
    },
    # Counted in the copies on the hub, which agree.
    counts={
        "test": {"samples": 1_000, "captions": 5_000},
        "val": {"samples": 1_014, "captions": 5_070},
    },
    hub=HubCopy(
        repository="nlphuji/flickr30k",
        revision="refs/convert/parquet",
        format="flickr30k",
        parts=(HubPart(splits=("test", "val"), hub_splits=("test",)),),
        licence="images under Flickr's terms of use, not commercial",
        convert=write_flickr30k,
    ),
)
