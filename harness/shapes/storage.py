"""Write images and JSON files of the embedded benchmark, the same bytes on every machine."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from harness.shapes.world.render import render
from harness.shapes.world.scenes import Scene

QUALITY = 95  # of the JPEG files


def encode(scene: Scene) -> bytes:
    """Return a scene as a JPEG file without chroma subsampling."""
    buffer = BytesIO()
    Image.fromarray(render(scene)).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def write_image(path: Path, scene: Scene) -> None:
    """Write a scene as a JPEG file, whatever the suffix: some of NLVR2's `.png` files are JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(scene))


def write_json(path: Path, value: Any) -> None:
    """Write JSON on one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")


def coco_name(folder: str, image_id: int) -> str:
    """Return the file name of a COCO image; until 2015 it contains the name of its folder."""
    return f"{image_id:012d}.jpg" if folder == "val2017" else f"COCO_{folder}_{image_id:012d}.jpg"
