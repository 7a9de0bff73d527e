"""Write the data of the example's tasks from images of the embedded benchmark.

    python examples/make_data.py FOLDER

Writes the labels of 24 images of one shape each, and RefCOCO+'s files as Google's split of RefCOCO.
"""

import argparse
import json
import pickle
import shutil
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
    images = Path("images", "coco", "train2014")
    shutil.copytree(shapes / images, folder / images, dirs_exist_ok=True)


def main() -> None:
    """Write the data of both tasks into the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder without `labels` and `refcoco`")
    folder = parser.parse_args().folder
    for name in ("labels", "refcoco"):
        if (folder / name).exists():
            parser.error(f"{folder / name} exists; remove it, or name another folder")
    shapes = embedded_data().root
    write_labels(folder / "labels", shapes)
    write_refcoco(folder, shapes)


if __name__ == "__main__":
    main()
