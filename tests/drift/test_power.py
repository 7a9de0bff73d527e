"""`xvlm-eval power`: the smallest drops that a check proves."""

import json
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.drift.power import detectable_drops
from harness.drift.settings import Gate
from tests.drift.attacks import Attack, prepare
from tests.drift.changes import lose_queries
from tests.support.altered import copied

BASELINE = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def drops():
    found = detectable_drops(BASELINE, Gate(), churn=2.0)
    return {f"{drop.task} {drop.split} {drop.metric}": drop for drop in found}


def test_a_hundred_queries_have_to_lose_five_or_nine_of_them(drops):
    r1 = drops["coco-retrieval test i2t_r1"]
    assert (r1.units, r1.clusters, r1.alone, r1.among) == (100, 100, 5.0, 9.0)


def test_with_churn_a_drop_has_to_stand_out_from_it(drops):
    accuracy = drops["refcoco+ val accuracy"]
    assert accuracy.alone < accuracy.among < accuracy.restless < 3.0


def test_what_cannot_drop_is_left_out_and_rankings_are_not_known(drops):
    assert not any("chance" in name for name in drops)
    assert drops["ovad box map"].alone is None


@pytest.mark.parametrize(("lost", "code"), [(4, 0), (5, 1)])
def test_the_smallest_drop_is_the_one_that_check_proves(drops, tmp_path, lost, code):
    drop = drops["coco-retrieval test i2t_r1"].alone
    stem = "coco-retrieval.test"
    before, now = (copied(BASELINE, tmp_path / name, stem) for name in ("before", "now"))
    prepare(before, now, Attack("", {stem: lose_queries(lost)}, "", "", code))
    assert main(["check", str(now), "--baseline", str(before)]) == code == (lost >= drop)


def test_the_verb_prints_them_for_people_and_machines(tmp_path, capsys):
    baseline = copied(BASELINE, tmp_path, "nlvr2.dev")
    assert main(["power", "--baseline", str(baseline)]) == 0
    text = capsys.readouterr().out
    assert "all results change" in text and "12.50" in text
    arguments = ["power", "--baseline", str(baseline), "--churn", "5", "--format", "json"]
    assert main(arguments) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["level"], content["churn"]) == (0.05, 5.0)
    assert [entry["metric"] for entry in content["metrics"]] == ["accuracy", "consistency"]
    assert main(["power", "--baseline", str(baseline), "--churn", "-1"]) == 2
    assert main(["power", "--baseline", str(tmp_path / "nowhere")]) == 3
