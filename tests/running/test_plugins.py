"""Models and tasks of other packages: their code belongs to the identity of a run."""

import json
from dataclasses import replace

import msgspec
import pytest

from harness.checkpoints import Release, Weights
from harness.cli.main import main
from harness.formats.folder import sha256_of
from harness.running.pinned import verified_sha256
from tests.support import refcoco_files
from tests.support.plugins import BOX_MODEL, CHESS

CENTRE = {"model centre": "somebodys.plugin:load"}


@pytest.fixture
def command(tmp_path):
    data = refcoco_files.write(tmp_path / "data")
    (tmp_path / "box.json").write_text("{}")
    return [
        "run", "--task", "refcoco+", "--split", "val", "--data", str(data),
        "--model", "centre", "--checkpoint", str(tmp_path / "box.json"),
        "--out", str(tmp_path / "runs"), "--batch-size", "1",
    ]  # fmt: skip


def record(tmp_path, task="refcoco+"):
    return json.loads((tmp_path / "runs" / "box" / f"{task}.val.json").read_text())


def interrupt(tmp_path):
    """Leave all predictions but the last, as a kill does."""
    path = tmp_path / "runs" / "box" / "refcoco+.val.predictions.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    (tmp_path / "runs" / "box" / "refcoco+.val.json").unlink()


def test_a_record_names_family_package_and_version(package, command, tmp_path):
    package.install(BOX_MODEL, version="1.2", points=CENTRE)
    assert main(command) == 0
    found = record(tmp_path)
    assert found["checkpoint"]["family"] == "centre"
    assert found["software"]["model plugin"] == "centre of somebodys 1.2"
    assert len(found["software"]["model plugin code"]) == 64
    assert "task plugin" not in found["software"]
    path = tmp_path / "runs" / "box" / "refcoco+.val.predictions.jsonl"
    identity = json.loads(path.read_text().splitlines()[0])["identity"]
    assert identity["code"]["model plugin"] == {
        "name": "centre",
        "entry_point": "somebodys.plugin:load",
        "distribution": "somebodys",
        "version": "1.2",
        "sha256": found["software"]["model plugin code"],
    }


@pytest.mark.parametrize(
    ("source", "version", "difference"),
    [
        (BOX_MODEL.replace("(32, 32)", "(32, 32), 0"), "1.0", "code.model plugin.sha256"),
        (BOX_MODEL, "1.1", "code.model plugin.version: 1.0 / 1.1"),
    ],
    ids=["another prepare", "another version"],
)
def test_a_run_is_not_continued_by_other_code(
    package, command, tmp_path, capsys, source, version, difference
):
    package.install(BOX_MODEL, points=CENTRE)
    assert main(command) == 0
    interrupt(tmp_path)
    package.forget()
    assert main(command) == 0  # the same code goes on
    interrupt(tmp_path)
    package.install(source, version=version, points=CENTRE)
    capsys.readouterr()
    assert main(command) == 4
    error = capsys.readouterr().err
    assert "the code of the model plugin 'centre' changed" in error
    assert difference in error and "code.sha256" not in error
    assert "--fresh" in error and "another --out" in error
    assert main([*command, "--fresh"]) == 0


def test_another_file_of_the_package_counts(package, command, tmp_path, capsys):
    package.install(BOX_MODEL, points=CENTRE)
    assert main(command) == 0
    (package.site / "somebodys" / "other.py").write_text("SIDE = 1\n")
    capsys.readouterr()
    assert main(command) == 4
    assert "the code of the model plugin 'centre' changed" in capsys.readouterr().err


def test_images_that_are_prepared_otherwise_are_noticed_whatever_the_reason(
    package, command, tmp_path, capsys
):
    """By a package that the plugin uses, for example, whose code nobody compares."""
    side = f"(int(Path({str(tmp_path / 'SIDE')!r}).read_text()),) * 2"
    source = f"from pathlib import Path\n{BOX_MODEL}".replace("(32, 32)", side)
    (tmp_path / "SIDE").write_text("32")
    package.install(source, points=CENTRE)
    assert main(command) == 0
    interrupt(tmp_path)
    (tmp_path / "SIDE").write_text("16")
    capsys.readouterr()
    assert main(command) == 4
    error = capsys.readouterr().err
    assert "prepares the images of samples 100, 101 otherwise" in error and "--fresh" in error


def test_check_says_that_the_code_of_a_plugin_changed(package, command, tmp_path, capsys):
    package.install(BOX_MODEL, points=CENTRE)
    assert main(command) == 0
    (tmp_path / "runs").rename(tmp_path / "before")
    package.install(BOX_MODEL.replace("0.5", "0.4"), version="2.0", points=CENTRE)
    assert main(command) == 0
    capsys.readouterr()
    main(["check", str(tmp_path / "runs"), "--baseline", str(tmp_path / "before")])
    printed = capsys.readouterr().out
    assert "but for the code of the model plugin" in printed
    assert "centre of somebodys 1.0" in printed and "centre of somebodys 2.0" in printed


def test_diff_names_the_plugins_whose_code_changed(package, command, tmp_path, capsys):
    points = {**CENTRE, "task chess": "somebodys.plugin:Chess"}
    command[command.index("refcoco+")] = "chess"
    for out, source, version in (
        ("before", BOX_MODEL + CHESS, "1.0"),
        ("same", BOX_MODEL + CHESS, "1.0"),
        ("source", BOX_MODEL.replace("0.5", "0.4") + CHESS, "1.0"),
        ("version", BOX_MODEL + CHESS, "2.0"),
    ):
        package.install(source, version=version, points=points)
        assert main([*command, "--out", str(tmp_path / out)]) == 0

    def diff(other):
        capsys.readouterr()
        assert main(["diff", str(tmp_path / "before"), str(tmp_path / other)]) == 0
        return capsys.readouterr().out

    assert "of somebodys" not in diff("same")
    other_source = diff("source")
    assert (
        "the code of the task plugin (chess of somebodys 1.0) and "
        "the model plugin (centre of somebodys 1.0) changed" in other_source
    )
    assert "model plugin code" in other_source and "102" in other_source
    assert "the model plugin (centre of somebodys 1.0, now centre of somebodys 2.0)" in diff(
        "version"
    )


def test_a_task_of_another_package_is_named_too(package, command, tmp_path, capsys):
    points = {**CENTRE, "task chess": "somebodys.plugin:Chess"}
    package.install(BOX_MODEL + CHESS, points=points)
    command[command.index("refcoco+")] = "chess"
    assert main(command) == 0
    software = record(tmp_path, "chess")["software"]
    assert software["task plugin"] == "chess of somebodys 1.0"
    assert software["task plugin code"] == software["model plugin code"]
    package.install(BOX_MODEL + CHESS, version="3", points=points)
    capsys.readouterr()
    assert main(command) == 4
    error = capsys.readouterr().err
    assert "the code of the task plugin 'chess' and the model plugin 'centre' changed" in error


def test_every_file_of_a_folder_of_weights_is_hashed(package, tmp_path):
    package.install(BOX_MODEL, points=CENTRE)
    folder = tmp_path / "model"
    folder.mkdir()
    names = ("model-00001-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json")
    for name in names:
        (folder / name).write_text(name)
    sharded = [Weights("w", "centre", folder), Weights("w", "centre", folder / names[1])]
    tower = Weights("w", "dual", folder / names[0])
    single = Weights("w", "centre", folder / names[0])
    before = [verified_sha256(weights) for weights in (*sharded, tower, single)]
    assert len(set(before[:3])) == 1
    (folder / "tokenizer.json").write_text("another")
    after = [verified_sha256(weights) for weights in (*sharded, tower, single)]
    assert [a != b for a, b in zip(after, before, strict=True)] == [True, True, True, False]


def test_weights_of_an_entry_are_hashed_with_their_tokenizer(tmp_path):
    (tmp_path / "model.bin").write_text("weights")
    (tmp_path / "tokenizer.json").write_text("one")
    release = Release(path="model.bin", head="none")
    weights = Weights("w", "dual", tmp_path / "model.bin", release=release)
    before = verified_sha256(weights)
    (tmp_path / "tokenizer.json").write_text("another")
    assert verified_sha256(weights) != before
    listed = msgspec.structs.replace(release, sha256=sha256_of(tmp_path / "model.bin"))
    assert verified_sha256(replace(weights, release=listed)) == listed.sha256


def test_another_file_of_a_folder_continues_no_predictions(package, command, tmp_path, capsys):
    """The hash is that of the folder, whichever of its files is named."""
    family = f"""
from harness.family import Family
{BOX_MODEL}
CENTRE = Family("Centre", (), load, folder=True)
"""
    package.install(family, points={"model centre": "somebodys.plugin:CENTRE"})
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("a.bin", "b.bin"):
        (folder / name).write_text(name)
    assert main([*command, "--name", "one", "--checkpoint", str(folder / "a.bin")]) == 0
    capsys.readouterr()
    assert main([*command, "--name", "one", "--checkpoint", str(folder / "b.bin")]) == 4
    assert "(there / now: checkpoint.weight_file: a.bin / b.bin)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("net.py", "from net import SIDE"),
        ("net/__init__.py", "import json, net"),
        ("research/net.py", "    from research.net import SIDE"),  # a folder without __init__.py
    ],
)
def test_code_that_a_plugin_imports_belongs_to_it_while_it_is_edited(
    package, command, tmp_path, capsys, monkeypatch, path, statement
):
    """A module beside that of the entry point, or a package that is installed to be edited."""
    package.install(f"if False:\n    {statement}\n{BOX_MODEL}", points=CENTRE)
    edited = package.site / path
    edited.parent.mkdir(exist_ok=True)
    edited.write_text("SIDE = 32\n")
    assert main(command) == 0
    interrupt(tmp_path)
    edited.write_text("SIDE = 64\n")
    package.forget()
    assert main(command) == 4
    assert "code.model plugin.sha256" in capsys.readouterr().err
