"""A package of somebody else's, installed, changed and installed again."""

import importlib
import sys
from pathlib import Path

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
