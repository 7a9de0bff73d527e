"""The memory of a baseline: the anchor, the lineage, the trend; and the ratchet that they stop."""

import errno
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.cli.main import main
from harness.drift.anchor import anchored_gate
from harness.drift.lineage import read_lineage
from harness.drift.settings import Gate
from harness.drift.trend import p_of_fall
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from tests.support.altered import CHECKPOINT, copied

SCORE = ["score", "--task", "nlvr2", "--split", "test", "--checkpoint", "mine", "--predictions"]


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """Release n of a model: of the statements of NLVR2 test, 5 n more are judged wrong."""
    folder = tmp_path_factory.mktemp("releases")
    samples = find_task("nlvr2").load(embedded_data(), "test")
    order = np.random.default_rng(0).permutation(len(samples))

    def release(number):
        out = folder / str(number)
        if not out.exists():
            wrong = set(order[: 5 * number].tolist())
            path = folder / f"{number}.csv"
            path.write_text(
                "".join(f"{s.id},{s.label != (i in wrong)}\n" for i, s in enumerate(samples))
            )
            assert main([*SCORE, str(path), "--out", str(out)]) == 0
        return out

    return release


def renew(results, baseline, *flags):
    return main(["baseline", str(results), "--baseline", str(baseline), *flags])


def metrics(baseline):
    return json.loads((baseline / "mine/nlvr2.test.json").read_text())["metrics"]


def test_a_loss_per_release_is_stopped_by_the_anchor(releases, tmp_path, capsys):
    baseline = tmp_path / "b"
    assert renew(releases(0), baseline) == 0
    codes = []
    for number in range(1, 9):
        codes.append(renew(releases(number), baseline))
        if codes[-1]:
            break
    assert codes[-1] == 1, "five statements per release were let pass for ever"
    assert metrics(baseline)["accuracy"] > 94
    assert 'why: --reason "..."' in capsys.readouterr().err


def test_a_single_small_loss_is_renewed_and_the_anchor_kept(releases, tmp_path, capsys):
    baseline = tmp_path / "b"
    assert renew(releases(0), baseline) == 0
    assert not (baseline / "anchor").exists()  # the baseline is the anchor itself
    (baseline / "gate.yaml").write_text("level: 0.00001\nmargin: 50\n")
    assert renew(releases(1), baseline) == 0
    anchor = baseline / "anchor/mine/nlvr2.test.json"
    assert json.loads(anchor.read_text())["metrics"]["accuracy"] == 100.0
    assert metrics(baseline)["accuracy"] < 100
    assert anchored_gate(baseline, Gate(level=0.04)).level == 0.04 / 2
    assert renew(releases(2), baseline) == 0
    assert json.loads(anchor.read_text())["metrics"]["accuracy"] == 100.0
    assert anchored_gate(baseline, Gate(level=0.06)).level == 0.06 / 6
    assert anchored_gate(baseline, Gate(checkpoints=["other"])) is None
    (baseline / "gate.yaml").unlink()
    capsys.readouterr()
    command = ["check", str(releases(2)), "--baseline", str(baseline), "--format"]
    assert main([*command, "json"]) == 1  # identical to the baseline, not to the anchor
    output = json.loads(capsys.readouterr().out)
    assert {cell["verdict"] for cell in output["cells"]} == {"identical"}
    assert output["failed"] and output["anchor"]["failed"]
    assert main([*command, "junit"]) == 1
    suites = ElementTree.fromstring(capsys.readouterr().out)
    assert [suite.get("failures") != "0" for suite in suites] == [False, True]
    reason = "five statements per release are lost on purpose"
    assert renew(releases(2), baseline, "--reason", reason) == 0
    assert not anchor.exists()
    assert main([*command, "terminal"]) == 0
    lineage = read_lineage(baseline)
    assert [renewal.reviewed for renewal in lineage] == [True, False, False, True]
    assert lineage[-1].reason == reason
    assert lineage[1].changes["nlvr2.test.accuracy"][0] == 100.0
    assert lineage[1].before == lineage[0].after


def test_a_lost_anchor_forgives_nothing(releases, tmp_path, capsys):
    baseline = tmp_path / "b"
    assert renew(releases(0), baseline) == 0
    assert renew(releases(0), baseline) == 0  # without a review
    shutil.rmtree(baseline / "anchor")
    capsys.readouterr()
    assert main(["check", str(releases(0)), "--baseline", str(baseline)]) == 1
    assert "ends in renewals of mine that nobody reviewed (1)" in capsys.readouterr().out
    assert renew(releases(0), baseline) == 1
    assert not (baseline / "anchor").exists()
    assert renew(releases(0), baseline, "--reason", "the anchor was lost; all numbers read") == 0
    assert main(["check", str(releases(0)), "--baseline", str(baseline)]) == 0


def test_a_renewal_needs_a_reason_that_says_something_and_sound_results(releases, tmp_path, capsys):
    baseline = tmp_path / "b"
    assert renew(releases(0), baseline) == 0
    assert renew(releases(1), baseline, "--reason", " ") == 2
    assert renew(baseline, baseline) == 2
    assert renew(tmp_path, tmp_path / "c") == 3
    assert "holds no result of a whole split" in capsys.readouterr().err


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_results_that_a_renewal_removes_are_named(baseline, tmp_path, capsys):
    rolling = copied(baseline, tmp_path / "b", "nlvr2.dev", "nlvr2.test", "vqav2.test-dev")
    results = copied(baseline, tmp_path / "r", "nlvr2.test")
    assert renew(results, rolling) == 1
    capsys.readouterr()
    assert renew(results, rolling, "--reason", "the other splits were withdrawn") == 0
    removed = f"{CHECKPOINT} nlvr2 dev, {CHECKPOINT} vqav2 test-dev"
    assert f"no longer holds {removed}, which the new results lack" in capsys.readouterr().err
    assert renew(results, rolling, "--reason", "again") == 0
    assert "no longer holds" not in capsys.readouterr().err


def test_a_renewal_that_cannot_be_moved_in_changes_nothing(releases, tmp_path, capsys, monkeypatch):
    baseline = tmp_path / "b"
    assert renew(releases(0), baseline) == 0
    before = contents(baseline)
    rename = Path.rename

    def refuse(path, target):
        if path.name == ".mine.new":
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    assert renew(releases(1), baseline, "--reason", "on purpose") == 4
    assert "(Directory not empty); the baseline was not replaced" in capsys.readouterr().err
    assert contents(baseline) == before


def test_an_old_baseline_that_cannot_be_deleted_does_not_count(
    releases, tmp_path, capsys, monkeypatch
):
    baseline = tmp_path / "b"
    assert renew(releases(0), baseline) == 0
    monkeypatch.setattr("harness.drift.renewal.shutil.rmtree", lambda *_, **__: None)
    assert renew(releases(1), baseline, "--reason", "on purpose") == 0
    assert metrics(baseline)["accuracy"] < 100
    assert main(["check", str(releases(1)), "--baseline", str(baseline)]) == 0


def test_a_renewal_that_was_killed_half_way_is_undone_by_the_next(releases, tmp_path):
    baseline = tmp_path / "b"
    assert renew(releases(0), baseline) == 0
    (baseline / "mine").rename(baseline / ".mine.old")
    assert renew(releases(8), baseline) == 1
    assert metrics(baseline)["accuracy"] == 100.0


def test_a_steady_fall_over_releases_fails_and_its_course_is_shown(releases, tmp_path, capsys):
    older = [str(releases(number)) for number in (0, 1, 2)]
    command = ["check", str(releases(3)), "--baseline", older[2], "--history", *older]
    capsys.readouterr()
    assert main([*command, "--format", "json"]) == 1
    history = json.loads(capsys.readouterr().out)["history"]
    assert history["failed"] and "mine nlvr2 test accuracy" in history["summary"]
    (accuracy,) = [trend for trend in history["trends"] if trend["metric"] == "accuracy"]
    assert len(accuracy["values"]) == 4 and accuracy["change"] < 0 and accuracy["p"] < 0.05
    main(command)
    assert "100.00 > " in capsys.readouterr().out
    assert main(["check", older[0], "--baseline", older[1], "--history", older[2]]) == 2


def test_churn_without_a_trend_is_no_fall():
    rng = np.random.default_rng(1)
    p = [p_of_fall(rng.integers(0, 2, (4, 60)).astype(float), seed=seed) for seed in range(40)]
    assert sum(value < 0.05 for value in p) <= 6  # 2 expected
    rising = np.array([[0.0] * 9, [0.5] * 9, [1.0] * 9])
    assert p_of_fall(rising) > 0.99
