"""On a CUDA device: the predictions of a CPU, nearly so in shorter types, and a full memory.

Skipped without one. `XVLM_EVAL_TEST_DEVICE=cuda pytest tests/parity` compares goldens on it.
"""

import json

import pytest
import torch

from harness.cli.main import main
from harness.engine.device import choose_device
from harness.errors import MemoryFull
from harness.running.batch_size import fitting_batch_size
from tests.support.predicting import (
    TUNED,
    alike,
    least,
    model_of,
    predicted,
    predicted_on_cpu,
    samples_of,
)
from tests.support.results import contents
from tests.support.torchrun import finish

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
RUN = ["run", "--task", "refcoco+", "--limit", "12", "--batch-size", "5", "--device", "cuda"]


@pytest.mark.parametrize("name", TUNED)
def test_every_task_is_predicted_as_on_a_cpu(name):
    assert alike(predicted(name, device="cuda"), predicted_on_cpu(name), within=1e-4) == 1


@pytest.mark.parametrize("dtype", ["tf32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", TUNED)
def test_every_task_is_predicted_in_shorter_types(name, dtype):
    """How far the numbers move is measured by `xvlm-eval bench`."""
    found, expected = predicted(name, device="cuda", dtype=dtype), predicted_on_cpu(name)
    assert alike(found, expected, within=0.05) >= least(name, dtype)


def test_a_full_device_raises_memory_full():
    device = choose_device("cuda", "float32")
    free, _ = torch.cuda.mem_get_info()
    with pytest.raises(MemoryFull, match=r"cuda \(.*\): out of memory"), device.computing():
        torch.empty(2 * free, dtype=torch.uint8, device="cuda")


def test_the_batch_size_follows_the_memory_of_the_device():
    task, model = model_of("refcoco+", "cuda", "float32")
    assert model.memory_budget().free > 10**9
    assert fitting_batch_size(task, model, samples_of(task)) == model.memory_budget().largest == 512


def test_the_bench_projects_the_benchmarks_at_their_real_sizes(capsys):
    assert main(["bench", "--size", "tiny", "--device", "cuda", "--repeat", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["agree"] and len(found["stages"]) == 10
    projection = found["projection"]
    assert len(projection["benchmarks"]) == 8 and projection["seconds"] > 0
    assert all(row["per_second"] > 0 for row in projection["rates"])


def test_two_processes_share_a_device_and_end_in_the_records_of_one(tmp_path):
    assert main([*RUN, "--out", str(tmp_path / "alone")]) == 0
    finish(2, [*RUN, "--out", str(tmp_path / "two")])
    assert contents(tmp_path / "two") == contents(tmp_path / "alone")
