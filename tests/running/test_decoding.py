"""Images decoded in processes are those decoded in threads, to the bit, and so are the errors."""

import gc
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import DataError, HarnessError
from harness.images import Region
from harness.models.fusion.resizing import resize
from harness.running.decoding.choice import DECODING, make_decoder
from harness.running.decoding.processes import MAX_PICKLED, ProcessDecoder, _processes
from harness.running.decoding.threads import ThreadDecoder
from harness.running.loader import load_batches, plan_batches
from harness.task import Sample

PREPARE = partial(resize, side=16)
pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux")


@pytest.fixture
def samples(tmp_path):
    rng = np.random.default_rng(0)
    samples = []
    for number in range(11):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(path)
        samples += [
            Sample(2 * number, (path,)),
            Sample(2 * number + 1, (Region(path, (3, 2, 9, 8)),)),
        ]
    return samples


def load(samples, **given):
    return list(load_batches(plan_batches(samples, 6), PREPARE, workers=2, **given))


def descriptors():
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_processes_decode_the_pixels_that_threads_decode(samples, monkeypatch):
    expected = load(samples)
    monkeypatch.setenv(DECODING, "processes")
    assert isinstance(make_decoder(PREPARE, 2), ProcessDecoder)
    load(samples)  # starts the processes
    before = descriptors()
    batches = load(samples)
    assert len(batches) == len(expected) > 2
    for batch, other in zip(batches, expected, strict=True):
        assert batch.samples == other.samples
        assert np.array_equal(batch.image_of, other.image_of)
        assert batch.images.dtype == np.uint8 and np.array_equal(batch.images, other.images)
    del batches, batch
    assert descriptors() == before  # the memory of every batch is freed


def test_an_unreadable_file_is_named_or_skipped(samples, monkeypatch):
    broken = samples[8].images[0]
    broken.write_bytes(b"no image")

    def outcome(setting):
        monkeypatch.setenv(DECODING, setting)
        with pytest.raises(DataError, match=rf"{broken.name}: is not an image.*sample 8"):
            load(samples)
        skipped = []
        batches = load(samples, skip=lambda sample, reason: skipped.append((sample.id, reason)))
        return skipped, [batch.images.tolist() for batch in batches]

    assert outcome("threads") == outcome("processes")
    assert [id for id, _ in outcome("processes")[0]] == [8, 9]


def test_what_cannot_be_sent_to_a_process_decodes_in_threads(monkeypatch):
    monkeypatch.setenv(DECODING, "processes")
    large = partial(resize, side=np.zeros(MAX_PICKLED, dtype=np.uint8))
    for prepare in (lambda image: np.array(image), large):
        assert isinstance(make_decoder(prepare, 2), ThreadDecoder)
    monkeypatch.delenv(DECODING)
    assert isinstance(make_decoder(PREPARE, 2), ThreadDecoder)


def test_a_consumer_may_stop_early(samples, monkeypatch):
    monkeypatch.setenv(DECODING, "processes")
    load(samples)
    before = descriptors()
    batches = load_batches(plan_batches(samples, 2), PREPARE, workers=2)
    next(batches)
    batches.close()
    assert descriptors() == before


def test_a_system_without_semaphores_decodes_in_threads(monkeypatch):
    def fail(workers):
        raise FileNotFoundError("/dev/shm")

    monkeypatch.setenv(DECODING, "processes")
    monkeypatch.setattr("harness.running.decoding.processes._processes", fail)
    assert isinstance(make_decoder(PREPARE, 2), ThreadDecoder)


def test_a_process_that_died_is_reported_and_others_take_its_place(samples, monkeypatch):
    monkeypatch.setenv(DECODING, "processes")
    load(samples)
    for process in list(_processes(2)._processes.values()):
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(HarnessError, match=r"images has died.*same command continues.*--workers"):
        load(samples)
    assert len(load(samples)) > 2


LONG = 120  # seconds for an end that should come at once
PROGRAM = """
import os, sys, time
from functools import partial
from pathlib import Path
from harness.models.fusion.resizing import resize
from harness.running.decoding.decoder import FileViews
from harness.running.decoding.choice import make_decoder

if __name__ == "__main__":
    decoder = make_decoder(partial(resize, side=16), 2)
    file = FileViews([Path(sys.argv[1])], "sample 0")
    print(len(decoder.submit([file] * 32).results()))
    begun = set()
    while len(begun) < 2:
        decoder._pool.submit(time.sleep, 0.1)
        begun.add(decoder._pool.submit(os.getpid).result())
    print(*begun, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=str)
def test_processes_end_with_the_command(samples, tmp_path, number):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, program, samples[0].images[0]]
    environment = {**os.environ, DECODING: "processes"}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "32\n"
        workers = [int(worker) for worker in process.stdout.readline().split()]
        assert workers and all(is_running(worker) for worker in workers)
        if number == signal.SIGINT:  # a terminal interrupts all processes
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        errors = process.communicate(timeout=LONG)[1]
    expected = 1 if number == signal.SIGINT else 0
    assert errors.count("KeyboardInterrupt") == expected and errors.count("Traceback") == expected
    deadline = time.monotonic() + LONG
    while any(is_running(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_running(worker) for worker in workers)


def is_running(process):
    """Whether a process exists, and is more than an entry that nobody has asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
