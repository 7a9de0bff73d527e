"""Which files the code of a plugin consists of: they belong to the identity of a run."""

import zipfile
from pathlib import Path

from harness.registry import model_plugin
from tests.support.plugins import BOX_MODEL

CENTRE = {"model centre": "somebodys.plugin:load"}


def test_code_that_is_installed_belongs_to_no_plugin(package):
    package.install(f"import hypothesis, json, torch\n{BOX_MODEL}", points=CENTRE)
    assert {Path(name).parts[0] for name in model_plugin("centre").source_files()} == {"somebodys"}


def test_what_an_editor_leaves_beside_a_module_is_no_source(package):
    package.install(BOX_MODEL, points=CENTRE)
    before = model_plugin("centre").source_sha256()
    (package.site / "somebodys" / ".#model.py").symlink_to("somebody@host.12:34")  # a lock of Emacs
    assert model_plugin("centre").source_sha256() == before


def test_a_module_in_a_zip_archive_is_imported_and_not_read(package, monkeypatch):
    archive = package.site / "modules.zip"
    with zipfile.ZipFile(archive, "w") as modules:
        modules.writestr("zipped.py", "SIDE = 32\n")
    monkeypatch.syspath_prepend(str(archive))
    package.install(f"import zipped\n{BOX_MODEL}", points=CENTRE)
    assert {Path(name).parts[0] for name in model_plugin("centre").source_files()} == {"somebodys"}
