"""The trend over several releases: only of results that measured the same."""

import json

import numpy as np
import pytest

from harness.cli.main import main
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data

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
