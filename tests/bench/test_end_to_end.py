"""Whole benchmarks beside the authors' way of running them, on a few samples."""

import doctest
import json
import math
import os

import pytest
import torch

from harness.bench import end_to_end, end_to_end_side
from harness.bench.end_to_end import AUTHORS, BENCHMARKS, ENGINE, EndToEnd, Side
from harness.cli.main import main

NIGHTLY = pytest.mark.skipif(
    "XVLM_EVAL_NIGHTLY" not in os.environ,
    reason="starts two processes with torch, and METEOR with all paraphrases: XVLM_EVAL_NIGHTLY=1",
)


def side(predictions, **metrics):
    return Side(predictions, metrics, start_s=1.0, processor_s=2.0, clock_s=3.0)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("ovad", 3),
        pytest.param("refcoco+", 3, marks=NIGHTLY),
        pytest.param("nlvr2", 3, marks=NIGHTLY),
        pytest.param("vqav2", 3, marks=NIGHTLY),
        pytest.param("flickr30k-retrieval", 2, marks=NIGHTLY),
        pytest.param("coco-caption", 2, marks=NIGHTLY),
        pytest.param("caption-scoring", 2, marks=NIGHTLY),
    ],
)
def test_both_sides_predict_and_score_the_same(name, limit, capsys):
    code = main(["bench", "--end-to-end", "--stage", name, "--limit", str(limit), "--json"])
    (row,) = json.loads(capsys.readouterr().out)["end_to_end"]
    assert (code, row["benchmark"], row["samples"], row["floor"]) == (0, name, limit, None)
    assert row["agree"] and row["max_diff"] <= 1e-4
    assert row["ratio"] == row["authors_processor_s"] / row["engine_processor_s"]


@pytest.fixture
def threads():
    """Restore the number of threads, which a side sets to one."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["refcoco+", "nlvr2", "vqav2"])
def test_both_sides_agree_in_one_process_too(name, threads, tmp_path):
    """What each side does in a process of its own, called here: no torch is imported for it."""
    sides, (split, _) = [], BENCHMARKS[name]
    for number, of_side in enumerate((AUTHORS, ENGINE)):
        path = tmp_path / f"{number}.json"
        end_to_end_side.main(of_side, name, split, "3", str(path))
        content = json.loads(path.read_text())
        predictions = [(id, prediction) for id, prediction in content.pop("predictions")]
        sides.append(Side(predictions=predictions, **content))
    measured = EndToEnd(name, 3, *sides, None)
    assert len(sides[0].predictions) == len(sides[1].predictions) == 3
    assert measured.agree and measured.largest_difference <= 1e-4


def test_an_unknown_benchmark_is_refused(capsys):
    assert main(["bench", "--end-to-end", "--stage", "ovda"]) == 2
    assert "did you mean ovad" in capsys.readouterr().err


def test_files_of_a_folder_are_not_timed_end_to_end(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "--end-to-end", "--from-files", str(tmp_path)])
    assert (
        "argument --from-files: not allowed with argument --end-to-end" in capsys.readouterr().err
    )


def test_a_task_has_its_measurement_and_none_stands_for_all():
    assert end_to_end.choose_benchmarks([], ["RefCOCO+"]) == ["refcoco+"]
    assert end_to_end.choose_benchmarks([], []) == list(BENCHMARKS)


@pytest.mark.parametrize(
    ("authors", "engine", "largest"),
    [
        (side([(1, [0.5])], map=50.0), side([(1, [0.5])], map=50.0), 0.0),
        (side([(1, [0.5])], map=50.0), side([(1, [0.25])], map=50.0), 0.25),
        (side([(1, "a cup")], cider=1.0), side([(1, "a cup")], cider=1.5), 0.5),
        (side([(1, "a cup")], cider=1.0), side([(1, "a cap")], cider=1.0), math.inf),
        (side([(1, [0.5, math.nan])]), side([(1, [0.5, 0.5])]), math.inf),
        (side([(1, [math.nan, 0.5])]), side([(1, [math.nan, 0.5])]), math.inf),
        (side([(1, True)], cider=1.0), side([(1, False)], cider=1.0), math.inf),
        (side([(1, "a cup")], cider=1.0), side([], cider=1.0), math.inf),
        (side([], r1=1.0), side([(1, "pairs")], r1=1.0), 0.0),  # retrieval: metrics alone
        (side([]), side([]), math.inf),  # nothing was compared
    ],
)
def test_predictions_and_metrics_are_compared(authors, engine, largest):
    measured = EndToEnd("ovad", 1, authors, engine, None)
    assert measured.largest_difference == largest
    assert measured.agree == (largest <= 1e-4)


def test_the_examples_in_the_documentation_are_right():
    assert doctest.testmod(end_to_end).failed == 0
