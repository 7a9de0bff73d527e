"""A package of somebody else's, installed, changed and installed again."""

import importlib
import sys
from pathlib import Path

from harness import plugins

NAME = "somebodys"
BOX_MODEL = """
import numpy as np

class CentreBox:
    protocol, device, provenance = "centre-box|32px", "cpu", {}

    def prepare(self, image):
        return np.asarray(image.convert("RGB").resize((32, 32)))

    def ground(self, images, expressions, image_of):
        return np.full((len(expressions), 4), 0.5, dtype=np.float32)

def load(weights, *, needs, device, dtype):
    return CentreBox()
"""
CHESS = """
from tasks.refcoco_plus import RefCOCOPlus

class Chess(RefCOCOPlus):
    name = "chess"
"""


class Package:
    """A package `somebodys` with a task `chess` or a model family `centre`, or both."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def install(self, source: str, *, version: str = "1.0", points: dict[str, str]) -> None:
        """Install this source and these entry points (`model centre` -> object)."""
        folder = self.site / NAME
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text("")
        (folder / "plugin.py").write_text(source)
        info = self.site / f"{NAME}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n")
        lines = {"task": ["[xvlm_eval.tasks]"], "model": ["[xvlm_eval.models]"]}
        for point, target in points.items():
            kind, name = point.split(" ")
            lines[kind].append(f"{name} = {target}")
        (info / "entry_points.txt").write_text("\n".join([*lines["task"], *lines["model"], ""]))
        self.forget()

    def forget(self) -> None:
        """Forget what was imported, as another process would."""
        for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
            del sys.modules[name]
        for cached in self.site.rglob("*.pyc"):  # of a source that was written in the same second
            cached.unlink()
        importlib.invalidate_caches()
        plugins._installed.cache_clear()


# Keeps the aspect ratio, as ViLT does: images of unequal sizes, put together with a mask.
ASPECT_MODEL = '''
import numpy as np
import torch

class Padded:
    """Images [M, H, W, 3], and where they are not padding [M, H, W]."""

    def __init__(self, pixels, mask):
        self.pixels, self.mask = pixels, mask

class AspectModel:
    protocol, device, provenance = "mean-colour|16px-shorter-edge", "cpu", {}

    def prepare(self, image):
        scale = 16 / min(image.size)
        size = tuple(round(side * scale) for side in image.size)
        pixels = np.asarray(image.convert("RGB").resize(size), dtype=np.float32) / 255
        return {"pixels": torch.from_numpy(pixels), "size": size}

    def collate(self, prepared):
        height = max(len(image["pixels"]) for image in prepared)
        width = max(image["pixels"].shape[1] for image in prepared)
        pixels = np.zeros((len(prepared), height, width, 3), dtype=np.float32)
        mask = np.zeros((len(prepared), height, width), dtype=bool)
        for number, image in enumerate(prepared):
            h, w, _ = image["pixels"].shape
            pixels[number, :h, :w], mask[number, :h, :w] = image["pixels"].numpy(), True
        return Padded(pixels, mask)

    def _means(self, images):
        return np.array([p[m].mean(0) for p, m in zip(images.pixels, images.mask)], np.float32)

    def ground(self, images, expressions, image_of):
        means = self._means(images)[image_of]
        return np.concatenate([means, np.full((len(means), 1), 0.5, np.float32)], axis=1)

    def encode_images(self, images):
        means = self._means(images)
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def encode_texts(self, texts):
        features = np.array([[len(t), t.count("a"), t.count("e")] for t in texts], np.float32)
        return features / np.linalg.norm(features, axis=1, keepdims=True)

def load(weights, *, needs, device, dtype):
    return AspectModel()
'''
