"""A check of results of the same annotation files, at other paths than those of the baseline."""

import json

import pytest

from harness.drift.check import check
from harness.formats.folder import digest_of_files
from tests.support.altered import CHECKPOINT, copied, edit_record, predict_otherwise

STEM = "nlvr2.dev"


def move_annotations(results):
    """Let the annotation files of a result have lain one folder deeper."""
    path = results / CHECKPOINT / f"{STEM}.json"
    record = json.loads(path.read_text())
    files = {f"deeper/{name}": sha256 for name, sha256 in record["data"].pop("files").items()}
    path.write_text(json.dumps(record))
    edit_record(results, STEM, data={"files": files, "sha256": digest_of_files(files)})


def test_a_result_of_moved_files_is_identical_without_a_difference_to_list(baseline, tmp_path):
    results = copied(baseline, tmp_path, STEM)
    move_annotations(results)
    (pair,) = check(results, baseline).compared
    assert {cell.verdict for cell in pair.cells} == {"identical"}
    assert "data.sha256" not in [difference.name for difference in pair.differences]


def test_the_same_predictions_stay_due_where_files_were_moved(baseline, tmp_path):
    results = copied(baseline, tmp_path, STEM)
    predict_otherwise(results, STEM, lambda answers: {"dev-0-0-0": not answers["dev-0-0-0"]})
    move_annotations(results)
    cells = {cell.metric: cell for cell in check(results, baseline).compared[0].cells}
    assert cells["accuracy"].verdict == "drifted"
    assert cells["accuracy"].reason.startswith("1 of 160 predictions changed")


@pytest.mark.parametrize("wrong", ["result", "baseline"])
def test_a_hash_that_contradicts_its_own_files_is_of_other_data(baseline, tmp_path, wrong):
    sides = {name: copied(baseline, tmp_path / name, STEM) for name in ("result", "baseline")}
    edit_record(sides[wrong], STEM, data={"sha256": "0" * 64})
    (cell,) = check(sides["result"], sides["baseline"]).cells
    assert cell.verdict == "not comparable" and cell.reason.startswith("another data: ")
