"""`xvlm-eval power`: the smallest drops that a check proves."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.cli.main import main
from harness.drift.power import detectable_drops
from harness.drift.settings import Gate
from harness.formats.folder import sha256_of
from harness.records.sample_scores import SampleScores, write_sample_scores
from harness.statistics.means import mean_of
from tests.drift.attacks import Attack, prepare
from tests.drift.changes import lose_queries
from tests.support.altered import copied

BASELINE = Path(__file__).parents[2] / "results"


def two_right_samples(results):
    """Leave two samples of a result, both of them right, and one metric."""
    path = results / "xvlm-shapes" / "nlvr2.dev.contributions.npz"
    two = SampleScores(
        ["a", "b"],
        np.array([1, 2], dtype=np.uint64),
        {"accuracy": np.array([100.0, 100.0])},
        {"accuracy": mean_of([100.0, 100.0])},
    )
    write_sample_scores(path, two)
    contributions = {"file": path.name, "sha256": sha256_of(path)}
    record = path.with_name("nlvr2.dev.json")
    content = json.loads(record.read_text())
    changed = {"n": 2, "metrics": {"accuracy": 100.0}, "contributions": contributions}
    intervals = {"accuracy": [20.0, 100.0]}
    record.write_text(json.dumps({**content, **changed, "intervals": intervals, "breakdown": {}}))
    return results


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


def test_of_too_few_samples_no_drop_is_proven(tmp_path, capsys):
    few = two_right_samples(copied(BASELINE, tmp_path, "nlvr2.dev"))
    assert main(["power", "--baseline", str(few), "--format", "json"]) == 0
    (accuracy,) = json.loads(capsys.readouterr().out)["metrics"]
    cases = ["alone", "among", "restless"]
    assert (accuracy["units"], accuracy["unprovable"]) == (2, cases)
    assert [accuracy[case] for case in cases] == [None] * 3
    assert main(["power", "--baseline", str(few)]) == 0
    text = capsys.readouterr().out
    assert text.count("none") == 4
    assert "none: a check of these samples proves no drop, not even one to 0" in text


def test_a_margin_beyond_the_metric_leaves_no_drop_to_prove():
    drops = detectable_drops(BASELINE, Gate(margin=99.9, metrics=["accuracy"]), churn=0)
    beyond = [drop for drop in drops if drop.value < 99.9]
    assert beyond
    assert {drop.unprovable for drop in beyond} == {("alone", "among", "restless")}
    assert {(drop.alone, drop.among, drop.restless) for drop in beyond} == {(None, None, None)}


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
