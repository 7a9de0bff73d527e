"""Copies of the embedded benchmark as the hub keeps the originals."""

import pytest

from tests.support.hub_rows import (
    caption_rows,
    image,
    refcoco_rows,
    vqa_rows,
    write_copy,
)


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A copy of each kind, by its format."""
    root = tmp_path_factory.mktemp("copies")
    karpathy = {
        hub: [
            {
                "filename": path.name,
                "imgid": number,
                "cocoid": int(path.stem[-12:]),
                "split": split,
                "sentences": list(picture.captions),
            }
            for number, picture, path in caption_rows("coco-caption", split)
        ]
        for hub, split in (("test", "test"), ("validation", "val"))
    }
    flickr30k = [
        {
            "filename": path.name,
            "split": split,
            "caption": list(picture.captions),
            "image": image(path),
        }
        for split in ("test", "val")
        for _, picture, path in caption_rows("flickr30k-retrieval", split)
    ]
    flickr30k[::7] = [{**row, "split": "train"} for row in flickr30k[::7]]
    return {
        "vqa": write_copy(
            root / "vqa",
            "vqa",
            {"validation": list(vqa_rows("val")), "test": list(vqa_rows("test", hidden=True))},
        ),
        "karpathy": write_copy(root / "karpathy", "karpathy", karpathy),
        "flickr30k": write_copy(root / "flickr30k", "flickr30k", {"test": flickr30k}),
        "refcoco": write_copy(
            root / "refcoco",
            "refcoco",
            {split: list(refcoco_rows(split)) for split in ("val", "testA", "testB")},
        ),
    }
