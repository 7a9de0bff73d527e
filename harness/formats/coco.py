"""COCO's image folders, which several benchmarks share."""

from harness.formats.folder import Needed

GIGABYTES = {"train2014": 13.5, "val2014": 6.6, "test2015": 13.3, "val2017": 0.8}  # of the archives


def coco_images(folder: str) -> Needed:
    """Return one of COCO's image folders; its first candidate path is that of X-VLM's code."""
    return Needed(
        (f"images/coco/{folder}", f"coco/{folder}", folder),
        f"the folder of COCO's {folder} images ({GIGABYTES[folder]} GB)",
        f"http://images.cocodataset.org/zips/{folder}.zip",
        folder=True,
    )
