"""Paths that lead nowhere: links in a circle, the name of no file, other separators."""

import json

import pytest
from PIL import Image

from harness.cli.main import main
from harness.files.atomic import replacing
from harness.images import leads_out
from tests.support.altered import copied
from tests.support.results import COMMITTED


@pytest.fixture
def photo(tmp_path):
    """A photo, and the flags of one expression about an image of a name."""
    Image.new("RGB", (80, 60)).save(tmp_path / "a.jpg")

    def flags(name, **values):
        line = json.dumps({"image": name, "expression": "a cup", **values})
        (tmp_path / "own.jsonl").write_text(line)
        return ["--task", "grounding", "--annotations", str(tmp_path / "own.jsonl")]

    return flags


def test_an_image_that_links_to_itself_is_one_that_cannot_be_read(photo, tmp_path, capsys):
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert not leads_out(tmp_path / "loop.jpg")
    flags = photo("loop.jpg")
    assert main(["data", *flags, "--verify", "--format", "json"]) == 3
    (misfit,) = json.loads(capsys.readouterr().out)["misfits"]
    assert "Too many levels of symbolic links" in misfit["reason"]
    weights = ["--checkpoint", "xvlm-shapes", "--out", str(tmp_path / "out")]
    assert main(["run", *flags, *weights]) == 3
    assert "loop.jpg: cannot be decoded: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"version https://git-lfs.github.com/spec/v1\nsize 3\n", "is a Git LFS pointer"),
        (b"<!doctype html><html></html>", "is an HTML page"),
        (b"", "is empty; the download or copy broke off"),
        (b"a text", "is not an image that Pillow can read; get the file again"),
    ],
)
def test_what_lies_in_the_place_of_an_image_is_named(photo, tmp_path, capsys, content, problem):
    (tmp_path / "b.jpg").write_bytes(content)
    assert main(["data", *photo("b.jpg"), "--verify", "--format", "json"]) == 3
    (misfit,) = json.loads(capsys.readouterr().out)["misfits"]
    assert misfit["reason"].startswith(problem)
    assert misfit["reason"].endswith("(needed by sample 1)")


@pytest.mark.parametrize(("orientation", "size"), [(1, (80, 60)), (3, (80, 60)), (6, (60, 80))])
def test_a_photo_that_lies_on_a_side_is_verified_by_its_upright_size(
    photo, tmp_path, capsys, orientation, size
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.jpg", "a.tif"):
        Image.new("RGB", (80, 60)).save(tmp_path / name, exif=exif)
        for values in ({}, {"width": size[0], "height": size[1]}):
            assert main(["data", *photo(name, **values), "--verify"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_the_path_of_a_folder_is_no_file_to_write(path, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsADirectoryError), replacing(Path(path)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_an_output_file_is_said(tmp_path, capsys, monkeypatch):
    copied(COMMITTED, tmp_path / "r", "nlvr2.dev")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "r", "--format", "csv", "--out", "."]) == 4
    assert "cannot be written (Is a directory); choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["diff", "loop", "r"],
        ["check", "r", "--baseline", "loop"],
        ["table", "loop"],
        ["show", "loop"],
        ["report", "loop", "--out", "r.html"],
        ["power", "--baseline", "loop"],
        ["run", "--task", "ovad", "--data", "loop", "--plan"],
        ["score", "--task", "ovad", "--split", "box", "--predictions", "loop"],
    ],
    ids=lambda command: command[0],
)
def test_a_link_to_itself_in_the_place_of_a_file_or_folder_is_said(
    command, tmp_path, capsys, monkeypatch
):
    (tmp_path / "loop").symlink_to("loop")
    copied(COMMITTED, tmp_path / "r", "nlvr2.dev")
    monkeypatch.chdir(tmp_path)
    assert main(command) in (2, 3)
    message = capsys.readouterr().err
    assert "should not have happened" not in message and "loop" in message
