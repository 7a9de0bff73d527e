"""Weights of one file name, as every trainer writes them: told apart by `--name`."""

from pathlib import Path

from harness.cli.main import main
from harness.records.record import find_records
from tests.support.dual import write_dual_encoder

WEIGHTS = Path(__file__).parents[2] / "harness" / "shapes" / "weights"


def test_weights_of_one_name_are_refused_and_told_apart_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = ["run", "--task", "ovad", "--limit", "4", "--model", "dual"]
    for seed, experiment in enumerate(("exp1", "exp2")):
        write_dual_encoder(tmp_path / experiment / "best", "clip", seed)
    assert main([*run, "--checkpoint", "exp1/best"]) == 0
    record = (tmp_path / "runs" / "best" / "ovad.box.limit-4.json").read_bytes()
    capsys.readouterr()
    assert main([*run, "--checkpoint", "exp2/best"]) == 4
    assert "give these weights a name of their own with --name" in capsys.readouterr().err
    assert (tmp_path / "runs" / "best" / "ovad.box.limit-4.json").read_bytes() == record
    assert main([*run, "--checkpoint", "exp2/best", "--name", "exp2"]) == 0
    found = find_records(tmp_path / "runs").records
    names = {r.checkpoint["name"]: r.checkpoint["sha256"] for r in found}
    assert names.keys() == {"best", "exp2"} and len(set(names.values())) == 2
    # Another precision is not a question of names.
    assert main([*run, "--checkpoint", "exp1/best", "--dtype", "bfloat16"]) == 4
    shown = capsys.readouterr().err
    assert "choose another --out, or replace it with --fresh" in shown and "--name" not in shown


def test_a_folder_of_x_vlm_is_evaluated_and_one_of_another_family_asks_for_it(tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    command = ["run", "--task", "refcoco+", "--split", "val", "--limit", "2", "--checkpoint"]
    command += [str(folder), "--out", str(tmp_path / "runs")]
    assert main(command) == 3
    assert "without weights of X-VLM (model.safetensors or pytorch_model.bin)" in (
        capsys.readouterr().err
    )
    (folder / "model.safetensors").symlink_to(WEIGHTS / "refcoco+.safetensors")
    (folder / "vocab.txt").symlink_to(WEIGHTS / "vocab.txt")
    assert main(command) == 0
    assert (tmp_path / "runs" / "mine" / "refcoco+.val.limit-2.json").is_file()
    (folder / "config.json").write_text('{"model_type": "clip"}')
    assert main(command) == 3
    assert "e.g. --model dual for a CLIP" in capsys.readouterr().err
