"""What nobody may pass a check with: contradictory, incomplete, stale results.

Every row is an attack on a copy of the committed results: what was done -> exit code, verdict, and
what the check says of it.
"""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.cli.main import main
from harness.plugins import TASK
from tests.support.tampered import committed, edit, edit_predictions, edit_scores, file_of

NLVR2, BOXES, OVAD = "nlvr2.dev", "refcoco+.testB", "ovad.box"
RNG = np.random.default_rng(0)


def permuted(*names):
    """Shuffle arrays over the samples, all alike: the mean stays, the pairing is lost."""

    def change(arrays):
        order = RNG.permutation(arrays["values"].shape[1])
        for name in names:
            arrays[name] = arrays[name][..., order]

    return change


def other_torch(folder, stem):
    """Other software, so that metrics are tested and no prediction is due."""
    edit(folder, stem, lambda record: record["software"].update(torch="9.9"))


def lower_first_outcomes(arrays):
    arrays["values"][0, :30] = np.nan


def first_answer(entry):
    answer = entry["prediction"]
    entry["prediction"] = not (answer["answer"] if isinstance(answer, dict) else answer)


def not_a_number(entry):
    entry["prediction"] = float("nan")


def other_clusters(arrays):
    arrays["array1"] = arrays["array1"][RNG.permutation(len(arrays["array1"]))]


def cluster_below_0(arrays):
    arrays["array1"][3] = -1


def cluster_far_above(arrays):
    arrays["array1"][3] = 2**31 - 1


def ranked_score(value):
    def change(arrays):
        arrays["array0"][0, 3] = value

    return change


def drop(*keys):
    def change(record):
        for key in keys:
            record[key].pop("sha256")

    return change


def set_metric(value):
    return lambda record: record["metrics"].update(accuracy=value)


# attack -> (stem, what is done to results `r` and baseline `b`, what the reason says)
CONTRADICTIONS = {
    "the record says less than its sample scores": (
        BOXES, lambda r, b: edit(r, BOXES, set_metric(20.0)), "outside of its interval"),
    "the baseline's record was edited to match": (
        BOXES, lambda r, b: edit(b, BOXES, set_metric(99.0)), "the baseline: the record says"),
    "predictions inverted, sample scores left": (
        NLVR2, lambda r, b: edit_predictions(r, NLVR2, first_answer),
        "160 predictions are not those that were scored"),
    "outcomes shuffled over the samples": (
        BOXES, lambda r, b: edit_scores(r, BOXES, permuted("values", "array0")),
        "although their predictions are the same"),
    "outcomes of the statistic alone shuffled": (
        BOXES, lambda r, b: edit_scores(r, BOXES, permuted("array0")), "is told in two ways"),
    "outcomes that are not numbers": (
        NLVR2, lambda r, b: edit_scores(r, NLVR2, lower_first_outcomes), "not numbers"),
    "predictions that are not numbers": (
        BOXES, lambda r, b: edit_predictions(r, BOXES, not_a_number), "line 2 is not a prediction"),
    "the hash of the predictions removed on both sides": (
        NLVR2, lambda r, b: [edit(side, NLVR2, drop("predictions")) for side in (r, b)],
        "does not hold the hash of its predictions"),
    "the hash of the sample scores removed on both sides": (
        NLVR2, lambda r, b: [edit(side, NLVR2, drop("contributions")) for side in (r, b)],
        "does not hold the hash of its sample scores"),
    "the hash of the data removed on both sides": (
        NLVR2, lambda r, b: [edit(side, NLVR2, drop("data")) for side in (r, b)],
        "does not hold the hash of its data"),
    "the hash of an annotation file edited": (
        NLVR2, lambda r, b: edit(r, NLVR2, lambda record: record["data"].update(files={"a": "12"})),
        "is not that of the files it names"),
    "clusters that are no clusters": (
        NLVR2, lambda r, b: edit_scores(r, NLVR2, cluster_below_0), "clusters of accuracy"),
    "far more clusters than samples": (
        NLVR2, lambda r, b: edit_scores(r, NLVR2, cluster_far_above), "clusters of accuracy"),
    "a ranked score that is not a number": (
        OVAD, lambda r, b: edit_scores(r, OVAD, ranked_score(np.nan)), "are not numbers"),
    "a ranked score that was not predicted": (
        OVAD, lambda r, b: edit_scores(r, OVAD, ranked_score(-1)), "ranks other scores than those"),
    "sample scores deleted": (
        NLVR2, lambda r, b: file_of(r, NLVR2, ".contributions.npz").unlink(), "is missing"),
    "sample scores truncated": (
        NLVR2, lambda r, b: file_of(r, NLVR2, ".contributions.npz").write_bytes(b"PK"),
        "belongs to another record"),
}  # fmt: skip


@pytest.mark.parametrize("attack", CONTRADICTIONS)
def test_a_contradiction_is_refused(attack, tmp_path, capsys):
    stem, tamper, said = CONTRADICTIONS[attack]
    results, baseline = (committed(tmp_path / name, stem) for name in ("r", "b"))
    tamper(results, baseline)
    capsys.readouterr()
    code = main(["check", str(results), "--baseline", str(baseline), "--format", "json"])
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert code == 1
    assert {cell["verdict"] for cell in cells} == {"not comparable"}
    assert any(said in cell["reason"] for cell in cells), cells


def test_a_plugin_may_rank_what_it_makes_of_predictions(tmp_path):
    results, baseline = (committed(tmp_path / name, OVAD) for name in ("r", "b"))
    for side in (results, baseline):
        edit_scores(side, OVAD, lambda arrays: arrays["array0"].__imul__(0.5))  # the same order
    check = ["check", str(results), "--baseline", str(baseline)]
    assert main(check) == 1
    for side in (results, baseline):
        edit(side, OVAD, lambda record: record["software"].update({TASK: "boxes of a package"}))
    assert main(check) == 0


def test_other_clusters_are_a_sentence(tmp_path, capsys):
    results, baseline = (committed(tmp_path / name, BOXES) for name in ("r", "b"))
    edit_scores(results, BOXES, other_clusters)
    other_torch(results, BOXES)
    edit_scores(results, BOXES, lambda arrays: arrays["digests"].__iadd__(np.uint64(1)))
    edit(results, BOXES, lambda record: record["predictions"].update(sha256="0" * 64))
    file_of(results, BOXES, ".predictions.jsonl.gz").unlink()
    assert main(["check", str(results), "--baseline", str(baseline)]) == 1
    assert "belong to other clusters" in capsys.readouterr().out


def test_a_folder_is_not_compared_with_itself(tmp_path, capsys):
    results = committed(tmp_path, NLVR2)
    assert main(["check", str(results), "--baseline", f"{results}/../{results.name}"]) == 2
    assert "is the baseline itself" in capsys.readouterr().err


def test_a_link_to_the_baseline_is_not_compared_with_it(tmp_path, capsys):
    baseline, results = committed(tmp_path / "b", NLVR2), tmp_path / "r"
    results.mkdir()
    (results / "xvlm-shapes").symlink_to(baseline / "xvlm-shapes")
    assert main(["check", str(results), "--baseline", str(baseline)]) == 1
    assert "the result is its own baseline" in capsys.readouterr().out


@pytest.mark.parametrize("format", ["terminal", "md", "json", "junit"])
def test_what_did_not_run_fails_unless_it_may_be_missing(format, tmp_path, capsys, monkeypatch):
    results, baseline = committed(tmp_path / "r", NLVR2), committed(tmp_path / "b", NLVR2, BOXES)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    command = ["check", str(results), "--baseline", str(baseline), "--format", format]
    assert main(command) == 1
    output = capsys.readouterr().out
    if format == "json":
        assert json.loads(output)["missing"] == ["xvlm-shapes refcoco+ testB"]
    elif format == "junit":
        failed = [case for case in ElementTree.fromstring(output).iter("testcase") if len(case)]
        assert [case.get("classname") for case in failed] == ["xvlm-shapes.refcoco+.testB"]
    else:
        assert "refcoco+ testB" in output and "missing" in output
    assert main([*command, "--allow-missing"]) == 0


@pytest.mark.parametrize(
    ("change", "listed"),
    [
        (lambda record: record["checkpoint"].update(sha256="ab"), "weights.sha256: "),
        (lambda record: record["settings"].update(dtype="bfloat16"), "dtype: float32 -> bfloat16"),
        (lambda record: record.update(task_version=7), "task version: 1 -> 7"),
        (lambda record: record["software"].update(code="ab"), "code: "),
        (lambda record: record["software"].update(commit="ab"), "commit: "),
        (
            lambda record: record["intervals"].update(accuracy=[78.0, 79.0]),
            "interval of accuracy: [66.50081472885184, 86.53247180259405] -> [78.0, 79.0]",
        ),
        (
            lambda record: record["breakdown"].update(part={"one": 20.0}),
            "part one: 50.0 -> 20.0",
        ),
    ],
)
def test_other_settings_are_listed_though_nothing_changed(change, listed, tmp_path, capsys):
    results, baseline = (committed(tmp_path / name, NLVR2) for name in ("r", "b"))
    for side in (results, baseline):
        edit(side, NLVR2, lambda record: record["breakdown"].update(part={"one": 50.0}))
    edit(results, NLVR2, change)
    assert main(["check", str(results), "--baseline", str(baseline)]) == 0
    assert listed in capsys.readouterr().out


def test_replaced_pictures_are_named_by_sample(tmp_path, capsys):
    results, baseline = (committed(tmp_path / name, NLVR2) for name in ("r", "b"))
    for side in (results, baseline):
        edit_scores(side, NLVR2, lambda a: a.update(inputs=np.ones((160, 3), dtype=np.uint32)))
    assert main(["check", str(results), "--baseline", str(baseline)]) == 0
    assert "inputs changed" not in capsys.readouterr().out

    def replace_one(arrays):
        arrays["inputs"][150, :2] = 7

    edit_scores(results, NLVR2, replace_one)
    main(["check", str(results), "--baseline", str(baseline)])
    assert "inputs changed: image files of 1 sample ('dev-" in capsys.readouterr().out
