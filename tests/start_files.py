"""Make files of the real sizes for the starts of all other tasks than VQA, in little time.

    python -m tests.start_files FOLDER      # where `tests.rehearsal` made those of VQA and COCO

Adds the annotations of NLVR2, RefCOCO+, Flickr30K and OVAD with their images (hard links to a few)
to FOLDER/data, and a weight file of base size for each kind of model, `nlvr.th` and so on: see
WEIGHTS. What is there stays.
"""

import argparse
import json
import pickle
import random
from pathlib import Path

import torch

from harness.bench.models import KINDS, SIZES
from harness.bench.random_weights import random_tensors, share_pair_projections
from tests.rehearsal_files import make, sentence, write_images, write_json

# The task and split of each start, and its weights.
WEIGHTS = {
    ("nlvr2", "dev"): "nlvr.th",
    ("refcoco+", "val"): "bbox.th",
    ("flickr30k-retrieval", "test"): "retrieval.th",
    ("coco-retrieval", "test"): "retrieval.th",
    ("coco-caption", "test"): "captioning.th",
    ("ovad", "box"): "crops.th",
}
STATEMENTS = 6_982
REFERENCES, BOXES, TRAIN_IMAGES = (
    {"train": 42_278, "val": 3_805, "testA": 1_975, "testB": 1_798},
    196_771,
    19_992,
)
FLICKR = {"train": 29_000, "val": 1_014, "test": 1_000}
OVAD_IMAGES, OVAD_BOXES, ATTRIBUTES = 2_000, 14_300, 117


def main() -> None:
    """Make the files that are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    data, draws = folder / "data", random.Random(1)
    make(data / "nlvr2", lambda path: _write_nlvr2(path, draws))
    make(data / "refcoco+", lambda path: _write_refcoco_plus(path, draws))
    make(data / "flickr30k", lambda path: _write_flickr30k(path, draws))
    make(data / "ovad", lambda path: _write_ovad(path, draws))
    images = data / "images"
    names = [
        f"dev-{n // 4}-{n // 2 % 2}-img{i}.png" for n in range(0, STATEMENTS, 2) for i in (0, 1)
    ]
    make(images / "nlvr2" / "dev", lambda path, names=names: write_images(path, names))
    for folder_name, name, count in (
        ("coco/train2014", "{}.jpg", TRAIN_IMAGES),
        ("flickr30k-images", "{}.jpg", sum(FLICKR.values())),
        ("coco/val2017", "{:012d}.jpg", OVAD_IMAGES),
    ):
        names = [name.format(number) for number in range(count)]
        make(images / folder_name, lambda path, names=names: write_images(path, names))
    for kind in KINDS:
        make(folder / f"{kind}.th", lambda path, kind=kind: _write_weights(path, kind))


def _write_weights(path: Path, kind: str) -> None:
    """Write the tensors of one kind of model, of base size."""
    size, model = SIZES["base"], KINDS[kind]
    with torch.device("meta"):
        network = model.network(model.architecture(size), size)
    tensors = random_tensors(network)
    if model.head == "nlvr":
        share_pair_projections(tensors)
    torch.save({"model": tensors}, path)


def _write_nlvr2(folder: Path, draws: random.Random) -> None:
    folder.mkdir()
    lines = (
        {
            "identifier": f"dev-{n // 4}-{n // 2 % 2}-{n % 2}",
            "sentence": sentence(draws),
            "label": str(draws.random() < 0.5),
        }
        for n in range(STATEMENTS)
    )
    (folder / "dev.json").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")


def _write_refcoco_plus(folder: Path, draws: random.Random) -> None:
    splits = [split for split, count in REFERENCES.items() for _ in range(count)]
    references, sent_id = [], 0
    for number, split in enumerate(splits):
        texts = [sentence(draws) for _ in range(2 + (number % 6 != 0))]
        references.append(
            {
                "ref_id": number,
                "ann_id": number,
                "image_id": number * TRAIN_IMAGES // len(splits),
                "split": split,
                "sentences": [
                    {"sent_id": sent_id + k, "sent": text} for k, text in enumerate(texts)
                ],
            }
        )
        sent_id += len(texts)
    images = [
        {"id": id, "file_name": f"{id}.jpg", "width": 640, "height": 480}
        for id in range(TRAIN_IMAGES)
    ]
    boxes = [
        {
            "id": number,
            "image_id": number * TRAIN_IMAGES // len(splits) if number < len(splits) else 0,
            "bbox": [10.5, 20.25, 100.0, 80.5],
        }
        for number in range(BOXES)
    ]
    write_json(folder / "instances.json", {"images": images, "annotations": boxes})
    (folder / "refs(unc).p").write_bytes(pickle.dumps(references, protocol=0))


def _write_flickr30k(folder: Path, draws: random.Random) -> None:
    splits = [split for split, count in FLICKR.items() for _ in range(count)]
    images = [
        {
            "filename": f"{number}.jpg",
            "split": split,
            "sentences": [{"raw": sentence(draws)} for _ in range(5)],
        }
        for number, split in enumerate(splits)
    ]
    write_json(folder / "dataset_flickr30k.json", {"images": images})


def _write_ovad(folder: Path, draws: random.Random) -> None:
    attributes = [
        {
            "id": id,
            "name": f"type{id % 19}:word{id}",
            "is_has_att": ("is", "has")[id % 2],
            "freq_set": ("head", "medium", "tail")[id % 3],
        }
        for id in range(ATTRIBUTES)
    ]
    images = [{"id": id, "file_name": f"{id:012d}.jpg"} for id in range(OVAD_IMAGES)]
    boxes = [
        {
            "id": number,
            "image_id": number % OVAD_IMAGES,
            "area": 9_000.0,
            "bbox": [number % 400 + 0.5, 20.0, 100.0, 90.0],
            "att_vec": draws.choices((1, 0, -1), k=ATTRIBUTES),
        }
        for number in range(OVAD_BOXES)
    ]
    content = {"attributes": attributes, "images": images, "annotations": boxes}
    write_json(folder / "ovad2000.json", content)


if __name__ == "__main__":
    main()
