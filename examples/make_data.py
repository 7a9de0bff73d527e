"""Write the data of the example's tasks from images of the embedded benchmark.

    python examples/make_data.py FOLDER

Writes the labels of 24 images of one shape each, and RefCOCO+'s files as Google's split of RefCOCO.
"""

import json
import pickle
import shutil
import sys
from pathlib import Path

from harness.files.parsing import read_plain_pickle
from harness.shapes.benchmark import embedded_data

IMAGES = 24
SPLITS = {"val": "val", "testA": "test", "testB": "test"}  # of RefCOCO+, as in Google's files


def write_labels(folder: Path, shapes: Path) -> None:
    """Write `labels/`: images of the embedded benchmark, labelled by their largest object."""
    (folder / "images").mkdir(parents=True)
    content = json.loads((shapes / "refcoco+" / "instances.json").read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    largest: dict[int, dict] = {}
    for box in sorted(content["annotations"], key=lambda box: box["bbox"][2] * box["bbox"][3]):
        largest[box["image_id"]] = box
    with (folder / "test.jsonl").open("w", encoding="utf-8") as file:
        for image in content["images"][:IMAGES]:
            (path,) = (shapes / "images").rglob(image["file_name"])
            shutil.copy(path, folder / "images")
            label = names[largest[image["id"]]["category_id"]]
            row = {"id": image["id"], "image": image["file_name"], "label": label}
            file.write(json.dumps(row) + "\n")


def write_refcoco(folder: Path, shapes: Path) -> None:
    """Write `refcoco/` and the images that it names, in the layout of REFER."""
    references = read_plain_pickle(shapes / "refcoco+" / "refs(unc).p")
    chosen = [{**r, "split": SPLITS[r["split"]]} for r in references if r["split"] in SPLITS]
    (folder / "refcoco").mkdir(parents=True)
    (folder / "refcoco" / "refs(google).p").write_bytes(pickle.dumps(chosen, protocol=2))
    shutil.copy(shapes / "refcoco+" / "instances.json", folder / "refcoco")
    shutil.copytree(shapes / "images" / "coco" / "train2014", folder / "images/coco/train2014")


if __name__ == "__main__":
    root = embedded_data().root
    write_labels(Path(sys.argv[1]) / "labels", root)
    write_refcoco(Path(sys.argv[1]), root)
