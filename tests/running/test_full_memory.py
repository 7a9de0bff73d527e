"""What a run does whose memory is full: it halves its batches, and ends in the same metrics."""

import gc
import json
import weakref

import pytest
import torch

from harness.cli.main import main
from harness.models.xvlm.adapters import XVLMRetriever
from harness.records.record import SIDECARS
from harness.running.processes.distributed import SingleProcess
from tests.support.forked import RunningRanks
from tests.support.scarce_memory import CUDA_WORDS, limit_images, limit_images_of_the_second

RUN = ["run", "--limit", "12", "--batch-size", "8"]
ALL = [
    ["--task", "vqav2,nlvr2,flickr30k-retrieval,refcoco+,ovad"],
    ["--task", "coco-caption", "--split", "val"],  # scored by Java for seconds: once is enough
]
SOME = [["--task", "flickr30k-retrieval,ovad"]]


def results(out):
    """Records and predictions by name, and what the records say of halving."""
    records = {
        path.stem: json.loads(path.read_text())
        for path in out.rglob("*.json")
        if not path.name.endswith(SIDECARS)
    }
    predictions = {
        path.name: {
            entry["id"]: entry["prediction"]
            for entry in map(json.loads, path.read_text().splitlines()[1:])
        }
        for path in out.rglob("*.jsonl")
    }
    halved = {
        name: record["predictions"].pop("batch_size_halved_to", None)
        for name, record in records.items()
    }
    return records, predictions, halved


@pytest.fixture(scope="module")
def calm(limited):
    return results(limited)


def assert_same(calm, other):
    """The same metrics, and predictions that are equal, or nearly so where they are numbers."""
    (records, predictions, _), (others, theirs, _) = calm, other
    assert others and {name: records[name]["metrics"] for name in others} == {
        name: record["metrics"] for name, record in others.items()
    }
    for name in theirs:
        entries = predictions[name]
        assert entries.keys() == theirs[name].keys()
        for id, prediction in entries.items():
            other = theirs[name][id]
            if isinstance(prediction, dict):
                assert all(
                    other[key] == pytest.approx(value, abs=1e-4)
                    for key, value in prediction.items()
                )
            else:
                assert other == (
                    pytest.approx(prediction, abs=1e-4)
                    if isinstance(prediction, list)
                    else prediction
                )


@pytest.mark.parametrize(("on_cpu", "tasks"), [(False, ALL), (True, SOME)])
def test_a_run_out_of_memory_halves_its_batches_and_ends_in_the_same_metrics(
    on_cpu, tasks, calm, tmp_path, capsys, monkeypatch
):
    limit_images(monkeypatch.setattr, most=2, on_cpu=on_cpu)
    for chosen in tasks:
        assert main([*RUN, *chosen, "--out", str(tmp_path)]) == 0
    scarce = results(tmp_path)
    assert_same(calm, scarce)
    assert scarce[2]["flickr30k-retrieval.test.limit-12"] == scarce[2]["ovad.box.limit-12"] == 2
    assert set(calm[2].values()) == {None}
    shown = capsys.readouterr().err
    assert (
        "cpu: out of memory; going on with batches of 4" in shown
        and "going on with batches of 2" in shown
    )
    timings = json.loads((tmp_path / "xvlm-shapes" / "ovad.box.limit-12.timings.json").read_text())[
        "sittings"
    ]
    assert [(sitting["batch_size"], sitting["halved_to"]) for sitting in timings] == [(8, 2)]


def test_where_not_even_one_sample_fits_the_run_fails_and_keeps_what_it_has(
    calm, tmp_path, capsys, monkeypatch
):
    arguments = [
        "run",
        "--task",
        "ovad",
        "--limit",
        "12",
        "--batch-size",
        "8",
        "--out",
        str(tmp_path),
    ]
    with monkeypatch.context() as patch:
        limit_images(patch.setattr, most=8, calls=1)
        assert main(arguments) == 4
    shown = capsys.readouterr().err
    assert (
        "out of memory, even one sample at a time" in shown
        and "what was predicted is kept" in shown
    )
    assert "Traceback" not in shown
    name = "ovad.box.limit-12"
    path = tmp_path / "xvlm-shapes" / f"{name}.predictions.jsonl"
    assert len(path.read_text().splitlines()) == 1 + 8
    assert main(arguments) == 0
    assert f"12 ({8} were predicted before)" in capsys.readouterr().err
    assert results(tmp_path)[0][name]["metrics"] == calm[0][name]["metrics"]


def test_what_filled_the_memory_is_freed_before_the_next_batch(tmp_path, monkeypatch):
    seen = []

    def look(images):
        assert all(earlier() is None for earlier in seen)
        seen.append(weakref.ref(images))

    limit_images(monkeypatch.setattr, most=2, look=look)
    gc.disable()  # references alone have to do: a GPU's memory does not wait for the collector
    try:
        assert (
            main(
                [
                    "run",
                    "--task",
                    "ovad",
                    "--limit",
                    "8",
                    "--batch-size",
                    "8",
                    "--out",
                    str(tmp_path),
                ]
            )
            == 0
        )
    finally:
        gc.enable()
    assert len(seen) == 6  # 8, 4, and four times 2


def test_a_gallery_is_not_restarted_after_its_features_were_gathered(tmp_path, capsys, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError(CUDA_WORDS)

    gathered = []
    gather = SingleProcess.all_gather
    monkeypatch.setattr(
        SingleProcess,
        "all_gather",
        lambda group, value: gathered.append(value) or gather(group, value),
    )
    monkeypatch.setattr(XVLMRetriever, "rerank", full)
    arguments = ["run", "--task", "coco-retrieval", "--split", "val", "--limit", "8"]
    assert main([*arguments, "--out", str(tmp_path)]) == 4
    assert "smaller batches do not help here; use more processes" in capsys.readouterr().err
    # The features of numbered images, beside the samples that were skipped: once.
    features = [value[0] for value in gathered if isinstance(value, tuple)]
    assert len([value for value in features if isinstance(value, tuple)]) == 1


def test_of_two_processes_one_halves_its_own_share_and_nothing_is_lost_or_doubled(calm, tmp_path):
    chosen = ["run", "--task", "flickr30k-retrieval,refcoco+", "--limit", "12"]
    arguments = [*chosen, "--batch-size", "2", "--out", str(tmp_path)]
    code, shown = RunningRanks(2, arguments, limit_images_of_the_second).finish()
    assert code == 0, shown
    records, predictions, halved = results(tmp_path)
    assert_same(calm, (records, predictions, {}))
    assert halved["flickr30k-retrieval.test.limit-12"] == 1
    assert "going on with batches of 1" in shown
