"""Paths: the same folder by several names is one, and a home is that of a user."""

from pathlib import Path

import pytest

from harness.cli.main import main
from harness.files.paths import distinct, expanded

GONE = "~nobody-here/x"
RUN = ["run", "--task", "refcoco+", "--checkpoint", "xvlm-shapes"]


def test_a_folder_counts_where_it_is_first_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(name).mkdir()
    named = [Path("a"), Path("b"), Path("./b/../a"), Path("b")]
    assert distinct(named) == [Path("a"), Path("b")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--task", "grounding", "--annotations", GONE],
        ["run", "--task", "grounding", "--annotations", "a.jsonl", "--images", GONE],
        ["run", "--task", "vqa", "--annotations", "a.jsonl", "--answers", GONE],
        [*RUN, "--data", GONE],
        [*RUN, "--data", f"hf:{GONE}"],
        [*RUN, "--out", GONE],
        ["run", "--task", "refcoco+", "--checkpoint", GONE],
        [*RUN, "--include", GONE],
        [*RUN, "--allow-links", GONE],
        ["data", "--data", GONE],
        ["data", "--build-flat", GONE],
        ["fetch", "--data", GONE],
        ["doctor", "--data", GONE],
        ["doctor", "--checkpoint", GONE],
        ["checkpoint", GONE],
        ["score", "--task", "vqav2", "--split", "val", "--predictions", GONE],
        ["table", GONE],
        ["table", "--out", GONE],
        ["show", GONE],
        ["report", GONE],
        ["report", "--out", GONE],
        ["export", GONE, "--format", "csv"],
        ["check", GONE],
        ["check", "--baseline", GONE],
        ["check", "--history", GONE],
        ["baseline", GONE, "--baseline", "b"],
        ["diff", GONE, "b"],
        ["power", "--baseline", GONE],
        ["bench", "--from-files", GONE],
    ],
    ids=" ".join,
)
def test_the_home_of_nobody_is_named_by_every_verb(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text("{}")
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert f"{GONE}: this machine does not know what home folder the user 'nobody-here'" in shown


@pytest.mark.parametrize(
    "name",
    [
        "XVLM_EVAL_DATA",
        "XVLM_EVAL_CHECKPOINTS",
        "XVLM_EVAL_CACHE",
        "XVLM_EVAL_CHECKPOINTS_FILE",
        "HF_HUB_CACHE",
    ],
)
def test_the_home_of_nobody_is_named_where_the_environment_has_it(name, monkeypatch, capsys):
    monkeypatch.setenv(name, GONE)
    checkpoint = "x-vlm-base-16m" if name == "XVLM_EVAL_CHECKPOINTS" else "xvlm-shapes"
    checkpoint = "openai/clip-vit-base-patch32" if name == "HF_HUB_CACHE" else checkpoint
    assert main([*RUN, "--checkpoint", checkpoint, "--plan"]) == 2
    assert f"{GONE}: this machine does not know" in capsys.readouterr().err


def test_a_leading_tilde_is_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/runs") == tmp_path / "runs"
    assert expanded("./~/runs") == Path("~/runs")
