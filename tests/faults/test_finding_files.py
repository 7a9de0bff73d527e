"""Where a run finds its files, and what it says of released ones that are absent or others."""

import json
import shutil
from pathlib import Path

import pytest

from harness.cli.main import main
from tests.support.models_on_disk import grounding_state, write_checkpoint, write_vocabulary
from tests.support.small_run import RUN, run

REFS = Path("data/refcoco+/refs(unc).p")


INSTANCES = Path("data/refcoco+/instances.json")


@pytest.fixture
def released(world, monkeypatch):
    """A released checkpoint of checkpoints.yaml, at its path below the data folder."""
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(world / "cache"))
    (world / "data" / "bert-base-uncased").mkdir()
    write_vocabulary(world / "data" / "bert-base-uncased")
    place = (
        world / "data" / "checkpoints" / "x-vlm-base-16m" / "refcoco_bbox" / "checkpoint_best.pth"
    )
    return write_checkpoint(place, grounding_state(resolution=384))


def run_released(*more):
    return main([*RUN, "--split", "val", "--data", "data", *more])


def test_a_released_checkpoint_of_another_resolution_is_refused(released, capsys):
    write_checkpoint(released, grounding_state(resolution=64))
    assert run_released() == 3
    assert (
        "is a checkpoint of 64 px, checkpoints.yaml says 384 px for x-vlm-base-16m"
        in capsys.readouterr().err
    )


def test_everything_missing_is_named_at_once_with_where_to_get_it(world, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_CACHE", str(world / "no-hub"))
    for path in (REFS, INSTANCES):
        path.unlink()
    assert run_released() == 3
    shown = capsys.readouterr().err
    for words in (
        "refs(unc).p",
        "instances.json",
        "refcoco_bbox/checkpoint_best.pth",
        "Google Drive, id 1ySQTjpTm5CeHp50YYFObUjT7DTHLN7DZ",
        "bert-base-uncased/vocab.txt",
        "missing (4):",
    ):
        assert words in shown


def test_a_released_file_that_changed_since_its_first_use_is_refused_until_the_note_is_deleted(
    world, released, capsys
):
    assert run_released() == 0
    write_checkpoint(released, grounding_state(seed=1, resolution=384))
    assert run_released("--fresh") == 3
    shown = capsys.readouterr().err
    line = "x-vlm-base-16m/refcoco_bbox/checkpoint_best.pth"
    assert f"delete the line '{line}' from" in shown and "was first used here" in shown
    notebook = world / "cache" / "checkpoints.json"
    assert list(json.loads(notebook.read_text())) == [line]
    notebook.write_text("{}")
    assert run_released("--fresh") == 0


def test_a_file_that_does_not_fit_is_not_noted_as_the_one_first_used(world, released):
    write_checkpoint(released, grounding_state(resolution=64))
    assert run_released() == 3
    assert not (world / "cache" / "checkpoints.json").exists()


def test_a_cache_that_cannot_be_written_is_no_reason_not_to_evaluate(world, released, monkeypatch):
    (world / "file").write_text("")
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(world / "file" / "cache"))
    assert run_released() == 0


def test_the_vocabulary_is_found_where_the_hub_keeps_it(world, released, monkeypatch):
    shutil.rmtree(world / "data" / "bert-base-uncased")
    snapshot = world / "hub" / "models--bert-base-uncased" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (world / "hub" / "models--someone--not-bert-base-uncased" / "snapshots" / "abc").mkdir(
        parents=True
    )
    write_vocabulary(snapshot)
    monkeypatch.setenv("HF_HUB_CACHE", str(world / "hub"))
    assert run_released() == 0


@pytest.mark.parametrize("way", ["environment", "configuration"])
def test_data_and_checkpoints_are_found_without_flags(world, released, monkeypatch, capsys, way):
    (world / "data" / "checkpoints").rename(world / "elsewhere")
    if way == "environment":
        monkeypatch.setenv("XVLM_EVAL_DATA", str(world / "data"))
        monkeypatch.setenv("XVLM_EVAL_CHECKPOINTS", str(world / "elsewhere"))
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(world / "config"))
        (world / "config" / "xvlm-eval").mkdir(parents=True)
        content = f"data: {world / 'data'}\ncheckpoints: {world / 'elsewhere'}\n"
        (world / "config" / "xvlm-eval" / "config.yaml").write_text(content)
    assert main([*RUN, "--split", "val"]) == 0
    assert capsys.readouterr().err.startswith(
        f"data of {world / 'data'}, evaluated with x-vlm-base-16m"
    )


@pytest.mark.parametrize(
    ("content", "code"), [("data: [", 3), ("dada: x", 2), ("data: 3", 2), ("- x", 2), ("\x00", 3)]
)
def test_a_configuration_file_that_is_none_is_named(world, monkeypatch, capsys, content, code):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(world))
    (world / "xvlm-eval").mkdir()
    (world / "xvlm-eval" / "config.yaml").write_text(content)
    assert main([*RUN]) == code
    assert "config.yaml" in capsys.readouterr().err


def test_a_configuration_file_behind_a_broken_link_is_named(world, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(world))
    (world / "xvlm-eval").mkdir()
    (world / "xvlm-eval" / "config.yaml").symlink_to("dotfiles/config.yaml")
    assert main([*RUN]) == 3
    assert "config.yaml: is a link to dotfiles/config.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["data/finetune/refcoco+", "finetune/refcoco+"])
def test_the_originals_are_found_where_x_vlm_keeps_them(world, place):
    (world / "data" / place).parent.mkdir(parents=True)
    (world / "data" / "refcoco+").rename(world / "data" / place)
    assert run(world) == 0
