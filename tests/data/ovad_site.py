"""A server with OVAD's files, for which the embedded benchmark's are published here."""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.checkpoints import VOCABULARY
from harness.data.fetch import plan
from harness.shapes.benchmark import embedded_data
from tasks.ovad import OVAD
from tests.support.unreliable_server import Site, served

FETCH = ["fetch", "--task", "ovad", "--data", "data"]


def archive(members: Mapping[str, bytes | Path]) -> bytes:
    """Return the bytes of a ZIP archive, given the content or file of every member."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, path in members.items():
            file.writestr(name, path if isinstance(path, bytes) else path.read_bytes())
    return content.getvalue()


@contextmanager
def serve_ovad(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Site]:
    """Serve OVAD's files and the vocabulary, with the hub's cache in the working directory."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    root = embedded_data().root
    images = {
        f"val2017/{path.name}": path for path in (root / "images" / "coco" / "val2017").iterdir()
    }
    annotations = (root / "ovad" / "ovad2000.json").read_bytes()
    vocabulary = b"[PAD]\n[UNK]\n"
    files = {
        "/val2017.zip": archive(images),
        "/ovad.zip": archive({"ovad2000.json": annotations}),
        "/vocab.txt": vocabulary,
    }
    blob = hashlib.sha1(b"blob %d\0" % len(annotations) + annotations).hexdigest()
    with served(Site(files)) as running:

        def here(origin):
            """The same origin with the address, size and hash of the file on this server."""
            content = files[f"/{origin.name}"]
            return replace(
                origin,
                url=f"{running.url}/{origin.name}",
                size=len(content) if origin.size else None,
                sha256=hashlib.sha256(content).hexdigest() if origin.sha256 else None,
                unpacked_limit=10**8 if origin.unpacked_limit else None,
            )

        published = OVAD.dataset
        digest = replace(published.digests["ovad2000.json"], value=blob)
        dataset = replace(
            published,
            origins=tuple(map(here, published.origins)),
            digests={"ovad2000.json": digest},
        )
        monkeypatch.setattr(OVAD, "dataset", dataset)
        monkeypatch.setattr(plan, "VOCABULARY", here(VOCABULARY))
        yield running
