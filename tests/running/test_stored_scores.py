"""Scores of stored predictions kept as a result, and results whose predictions are scored anew."""

import gzip
import json
import re

import numpy as np
import pytest

from harness.cli.main import main
from harness.data.resolve import Embedded
from harness.registry import find_task
from harness.running.stored.rescored import rescored_contradictions
from harness.shapes.benchmark import embedded_data
from tests.support.tampered import COMMITTED, committed, edit, edit_scores, file_of

STEM = "refcoco+.testB"
SCORE = ["score", "--task", "refcoco+", "--split", "testB", "--predictions"]
NLVR2 = ["score", "--task", "nlvr2", "--split", "dev", "--predictions"]


def read(path):
    return json.loads(path.read_text())


def test_predictions_of_a_run_give_its_record_and_its_sample_scores(tmp_path):
    predictions = COMMITTED / f"{STEM}.predictions.jsonl.gz"
    assert main([*SCORE, str(predictions), "--out", str(tmp_path / "r")]) == 0
    kept, original = read(file_of(tmp_path / "r", STEM)), read(COMMITTED / f"{STEM}.json")
    for key in ("metrics", "protocol", "n", "data", "checkpoint", "predictions", "settings"):
        assert kept[key] == original[key], key
    assert (tmp_path / "r/xvlm-shapes" / f"{STEM}.predictions.jsonl").read_bytes() == (
        gzip.decompress(predictions.read_bytes())
    )
    baseline = committed(tmp_path / "b", STEM)
    assert main(["check", str(tmp_path / "r"), "--baseline", str(baseline)]) == 0


def test_predictions_of_other_data_or_beside_others_are_refused(tmp_path, capsys):
    predictions = file_of(committed(tmp_path / "p", STEM), STEM, ".predictions.jsonl")
    content = gzip.decompress((COMMITTED / f"{STEM}.predictions.jsonl.gz").read_bytes())
    sha256 = read(COMMITTED / f"{STEM}.json")["data"]["sha256"]
    predictions.write_bytes(content.replace(sha256.encode(), b"0" * 64))
    assert main([*SCORE, str(predictions), "--out", str(tmp_path / "r")]) == 3
    assert "made on other annotation files" in capsys.readouterr().err
    predictions.write_bytes(content)
    other = file_of(tmp_path / "r", STEM, ".predictions.jsonl")
    other.parent.mkdir(parents=True)
    other.write_text("another file\n")
    assert main([*SCORE, str(predictions), "--out", str(tmp_path / "r")]) == 4
    assert "holds other predictions" in capsys.readouterr().err
    assert other.read_text() == "another file\n"


def labels(path, wrong):
    """NLVR2's official predictions, the first `wrong` of which are wrong."""
    samples = find_task("nlvr2").load(embedded_data(), "dev")
    path.write_text(
        "".join(f"{s.id},{s.label != (number < wrong)}\n" for number, s in enumerate(samples))
    )
    return str(path)


def test_predictions_of_another_program_are_gated_without_a_model(tmp_path, capsys):
    before, after = tmp_path / "before", tmp_path / "after"
    named = ["--checkpoint", "mine"]
    assert main([*NLVR2, labels(tmp_path / "a.csv", 0), *named, "--out", str(before)]) == 0
    assert main([*NLVR2, labels(tmp_path / "b.csv", 40), *named, "--out", str(after)]) == 0
    record = read(before / "mine/nlvr2.dev.json")
    assert record["protocol"] == "accuracy+consistency|official-results"
    assert record["metrics"] == {"accuracy": 100.0, "consistency": 100.0}
    capsys.readouterr()
    assert main(["check", str(after), "--baseline", str(before)]) == 1
    assert "drifted" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "../elsewhere", ".hidden"])
def test_a_result_needs_a_name_that_is_no_path(name, tmp_path, capsys):
    predictions = labels(tmp_path / "a.csv", 0)
    flags = ["--checkpoint", name] if name else []
    assert main([*NLVR2, predictions, "--out", str(tmp_path / "r"), *flags]) == 2
    assert "should be a name" in capsys.readouterr().err


def test_outcomes_edited_on_both_sides_are_found_by_scoring_anew(tmp_path, capsys):
    sides = [committed(tmp_path / name, STEM) for name in ("r", "b")]
    rng = np.random.default_rng(0)

    def permute(arrays):
        order = rng.permutation(arrays["values"].shape[1])
        for name in ("values", "array0"):
            arrays[name] = arrays[name][..., order]

    edit_scores(sides[0], STEM, permute)
    arrays = file_of(sides[0], STEM, ".contributions.npz").read_bytes()
    file_of(sides[1], STEM, ".contributions.npz").write_bytes(arrays)
    sha256 = read(file_of(sides[0], STEM))["contributions"]["sha256"]
    edit(sides[1], STEM, lambda record: record["contributions"].update(sha256=sha256))
    command = ["check", str(sides[0]), "--baseline", str(sides[1])]
    assert main(command) == 0  # no file contradicts another
    capsys.readouterr()
    assert main([*command, "--rescore"]) == 1
    assert "samples is another when scored anew" in capsys.readouterr().out


def test_scoring_anew_needs_the_predictions_and_finds_nothing_in_sound_results(tmp_path, capsys):
    sides = [committed(tmp_path / name, STEM, "vqav2.test-dev") for name in ("r", "b")]
    command = ["check", str(sides[0]), "--baseline", str(sides[1]), "--rescore"]
    assert main(command) == 0
    file_of(sides[1], STEM, ".predictions.jsonl.gz").unlink()
    capsys.readouterr()
    assert main(command) == 1
    assert "its predictions were not kept" in capsys.readouterr().out


def test_two_numbers_that_differ_are_shown_with_the_digits_that_differ(tmp_path):
    committed(tmp_path, STEM)

    def move(record):
        record["metrics"]["accuracy"] += 1e-4

    edit(tmp_path, STEM, move)
    (reason,) = rescored_contradictions(tmp_path, source=Embedded())
    found = re.search(r"accuracy is (\S+) when scored anew, the record says (\S+)$", reason)
    assert found and 0 < float(found[2]) - float(found[1]) < 2e-4


@pytest.mark.parametrize("key", ["protocol", "checkpoint", "data", "settings"])
def test_predictions_whose_first_line_does_not_name_their_run_are_not_kept(tmp_path, capsys, key):
    stored = gzip.decompress((COMMITTED / f"{STEM}.predictions.jsonl.gz").read_bytes())
    head, *lines = stored.splitlines()
    first = json.loads(head)
    first["identity"][key] = None
    path = tmp_path / f"{STEM}.predictions.jsonl"
    path.write_bytes(b"\n".join([json.dumps(first).encode(), *lines, b""]))
    assert main([*SCORE, str(path), "--out", str(tmp_path / "out")]) == 3
    assert f"its first line does not hold the '{key}' of the run" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
