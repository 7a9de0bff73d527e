"""The trend over several releases: only of results that measured the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.cli.main import main
from harness.drift.history import read_history
from harness.drift.settings import Gate
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from tests.drift.changes import alter, blur_attributes, swap_captions
from tests.support.altered import copied

BASELINE = Path(__file__).parents[2] / "results"
WRONG = (0, 10, 20)  # statements that the releases judge wrong


@pytest.fixture
def releases(tmp_path):
    """Results of three releases of a model, each worse than the one before."""
    samples = find_task("nlvr2").load(embedded_data(), "test")
    order = np.random.default_rng(0).permutation(len(samples))
    folders = []
    for number in WRONG:
        wrong, path = set(order[:number].tolist()), tmp_path / f"{number}.csv"
        path.write_text(
            "".join(f"{s.id},{s.label != (i in wrong)}\n" for i, s in enumerate(samples))
        )
        folders.append(tmp_path / str(number))
        command = ["score", "--task", "nlvr2", "--split", "test", "--checkpoint", "mine"]
        assert main([*command, "--predictions", str(path), "--out", str(folders[-1])]) == 0
    return folders


def check(releases, capsys, *flags):
    first, second, last = map(str, releases)
    capsys.readouterr()
    main(["check", last, "--baseline", second, "--history", first, second, *flags])
    return capsys.readouterr().out


def test_an_older_result_by_another_protocol_is_left_out_and_named(releases, capsys):
    history = json.loads(check(releases, capsys, "--format", "json"))["history"]
    assert history["failed"] and not history["left_out"]
    record = releases[0] / "mine" / "nlvr2.test.json"
    record.write_text(record.read_text().replace("accuracy+consistency|", "accuracy|"))
    history = json.loads(check(releases, capsys, "--format", "json"))["history"]
    assert not history["failed"]
    assert [trend["values"][0] for trend in history["trends"]] == [None, None]
    (left_out,) = history["left_out"]
    assert left_out.startswith(f"{record}: is left out of the history: another protocol: accuracy|")
    assert left_out in check(releases, capsys)


def test_p_of_a_trend_is_adjusted_for_all_metrics_that_changed(releases):
    def p_of_accuracy(*metrics):
        trends = read_history(releases, gate=Gate(metrics=list(metrics))).trends
        return next(trend.p for trend in trends if trend.metric == "accuracy")

    alone = p_of_accuracy("accuracy")
    assert 0 < alone < 0.5
    assert p_of_accuracy("accuracy", "consistency") == pytest.approx(2 * alone)


@pytest.mark.parametrize(
    ("stem", "changes", "metric"),
    [
        ("ovad.box", [blur_attributes(share) for share in (0.004, 0.01, 0.015, 0.02)], "map"),
        ("coco-caption.test", [swap_captions(count) for count in (1, 2, 3, 4)], "bleu4"),
    ],
)
def test_a_fall_of_a_metric_that_is_no_mean_is_found_in_order_only(tmp_path, stem, changes, metric):
    folders = [copied(BASELINE, tmp_path / str(number), stem) for number in range(5)]
    for folder, change in zip(folders[1:], changes, strict=True):
        alter(folder, stem, change)

    def falls(order):
        history = read_history([folders[number] for number in order], gate=Gate())
        (trend,) = [trend for trend in history.trends if trend.metric == metric]
        assert trend.p is not None
        return trend.falling

    assert falls([0, 1, 2, 3, 4])
    assert not falls([2, 0, 4, 1, 3])
    assert not falls([4, 3, 2, 1, 0])
