"""`xvlm-eval fetch --weights` gets the authors' weights by gdown, or says how to get them."""

import sys
import types
from pathlib import Path

import pytest

from harness.cli.main import main
from tests.data.ovad_site import FETCH, serve_ovad

WEIGHTS = "data/checkpoints/x-vlm-base-16m/16m_base_model_state_step_199999.th"


@pytest.fixture
def site(monkeypatch, tmp_path):
    with serve_ovad(monkeypatch, tmp_path) as running:
        yield running


def test_without_gdown_weights_are_named_with_their_address_and_path(site, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gdown", None)
    assert main([*FETCH, "--weights", "--yes"]) == 3
    shown = capsys.readouterr().err
    assert (
        f"{WEIGHTS}: missing a checkpoint of X-VLM (base); "
        "get 16m_base_model_state_step_199999.th from Google Drive" in shown
    )
    assert "1iXgITaSbQ1oGPPvGaV0Hlae4QiJG5gx0" in shown and "pip install gdown" in shown


def drive(monkeypatch, *, content, folder=True):
    """A stand-in for the package gdown, which needs Google."""
    asked = []

    def download(*, id, output, quiet, resume):
        asked.append(id)
        Path(output).write_bytes(content)

    def download_folder(*, id, skip_download, quiet):
        if not folder:
            raise RuntimeError("not a folder")
        return [
            types.SimpleNamespace(id="x", path="log"),
            types.SimpleNamespace(id="the file", path="logs/16m_base_model_state_step_199999.th"),
        ]

    monkeypatch.setitem(
        sys.modules,
        "gdown",
        types.SimpleNamespace(download=download, download_folder=download_folder),
    )
    return asked


@pytest.mark.parametrize(
    ("folder", "id"), [(True, "the file"), (False, "1iXgITaSbQ1oGPPvGaV0Hlae4QiJG5gx0")]
)
def test_with_gdown_weights_come_by_name_from_the_folder_or_by_the_id_of_the_file(
    site, tmp_path, monkeypatch, folder, id
):
    asked = drive(monkeypatch, content=b"PK\x03\x04weights", folder=folder)
    assert main([*FETCH, "--weights", "--yes"]) == 0
    assert asked == [id] and (tmp_path / WEIGHTS).read_bytes() == b"PK\x03\x04weights"


def test_a_web_page_instead_of_weights_is_not_placed(site, tmp_path, monkeypatch, capsys):
    drive(monkeypatch, content=b"<html>too many users</html>")
    assert main([*FETCH, "--weights", "--yes"]) == 3
    assert "sent no weights" in capsys.readouterr().err
    assert not (tmp_path / "data" / "checkpoints" / "x-vlm-base-16m").exists() or not list(
        (tmp_path / WEIGHTS).parent.iterdir()
    )
