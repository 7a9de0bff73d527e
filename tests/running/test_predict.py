"""Prediction in smaller batches where memory is full, with a model that knows nothing of torch."""

import json
from dataclasses import replace
from threading import Event

import pytest

from harness.checkpoints import Weights
from harness.errors import HarnessError, MemoryFull
from harness.formats.folder import DataFolder
from harness.running.batch_size import fitting_batch_size
from harness.running.context import Context
from harness.running.evaluate import evaluate
from harness.running.processes.distributed import SingleProcess
from harness.running.run import Run, Speed
from harness.workload import Cost, MemoryBudget
from tasks.refcoco_plus import RefCOCOPlus
from tests.support.held import predict_held
from tests.support.somebodys_grounder import SomebodysGrounder, write_images
from tests.support.threads import in_threads

PREDICTIONS, RECORD = "refcoco+.val.predictions.jsonl", "refcoco+.val.json"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """RefCOCO+ in its own format: six images, three expressions about each."""
    root = write_images(tmp_path_factory.mktemp("data"))
    return Run(
        task=RefCOCOPlus(),
        split="val",
        data=DataFolder(root, "files"),
        weights=Weights("c", "somebodys", root / "c", root / "vocab.txt"),
        out=root / "runs",
        speed=Speed(8, workers=1),
        sha256="ab",
    )


def ignore(*_):
    """Take a report or a warning."""


def evaluated(run, model, out, *, batch_size=8, report=ignore, warn=ignore, group=None):
    run = replace(run, out=out, speed=Speed(batch_size, workers=1))
    group = group or SingleProcess()
    return evaluate(run, model, Context(group, report, warn))


def contents(out):
    return (out / "c" / PREDICTIONS).read_bytes(), json.loads((out / "c" / RECORD).read_text())


@pytest.fixture(scope="module")
def calm(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("calm")
    model = SomebodysGrounder()
    evaluated(run, model, out)
    # 8 at most, and what is about one image together.
    assert [len(batch) for batch in model.batches] == [6, 6, 6]
    return contents(out)


@pytest.mark.parametrize(("most", "halved_to", "lines"), [(5, 4, 1), (2, 2, 2), (1, 1, 3)])
def test_a_run_that_halved_its_batches_ends_in_the_same_bytes_but_for_the_note(
    most, halved_to, lines, run, calm, tmp_path
):
    warnings: list[str] = []
    evaluated(run, SomebodysGrounder(most), tmp_path, warn=warnings.append)
    predictions, record = contents(tmp_path)
    assert predictions == calm[0]
    assert record["predictions"].pop("batch_size_halved_to") == halved_to
    assert record == calm[1]
    assert len(warnings) == lines
    assert (
        warnings[-1]
        == f"c refcoco+ val: somebody's device: out of memory; going on with batches of {halved_to}"
    )


def test_what_was_predicted_before_memory_was_full_is_not_predicted_again(run, calm, tmp_path):
    model = SomebodysGrounder()
    ground, batches = model.ground, []

    def full_once(images, expressions, image_of):
        batches.append(list(expressions))
        if len(batches) == 2:
            raise MemoryFull("somebody's device: out of memory")
        return ground(images, expressions, image_of)

    model.ground = full_once
    evaluated(run, model, tmp_path)
    assert [len(texts) for texts in batches] == [6, 6, 3, 3, 3, 3]  # the first six are kept
    assert contents(tmp_path)[0] == calm[0]


def test_where_not_even_one_sample_fits_the_run_fails_keeps_what_it_has_and_goes_on(
    run, calm, tmp_path
):
    with pytest.raises(
        HarnessError,
        match=r"even one sample at a time; free some memory.*what was predicted is kept",
    ) as failed:
        evaluated(run, SomebodysGrounder(calls=1), tmp_path)
    assert failed.value.exit_code == 4
    assert len((tmp_path / "c" / PREDICTIONS).read_bytes().splitlines()) == 1 + 6
    assert not (tmp_path / "c" / RECORD).exists()
    again = SomebodysGrounder()
    evaluated(run, again, tmp_path)
    assert sum(map(len, again.batches)) == 12
    assert contents(tmp_path) == calm


def answered(model):
    """How many expressions a model has grounded, or is grounding."""
    return sum(len(batch) for batch in model.batches if len(batch) <= model.most)


@pytest.mark.parametrize(("most", "smallest"), [((100, 1), 1), ((5, 2), 2), ((100, 100), None)])
def test_of_two_processes_each_halves_its_own_batches_and_the_smallest_is_noted(
    most, smallest, run, calm, tmp_path
):
    models, begun = [SomebodysGrounder(most=number) for number in most], [Event(), Event()]

    def work(group):
        """Predict own batches only: each begins its last one before the other is done."""
        model = models[group.rank]
        ground = model.ground

        def ground_and_wait(*inputs):
            if group.rank == 1 or answered(model) >= 6:
                begun[group.rank].set()
                assert begun[1 - group.rank].wait(timeout=240)
            return ground(*inputs)

        def report(done, total):
            assert group.rank == 0 or begun[0].wait(timeout=240)

        model.ground = ground_and_wait
        evaluated(run, model, tmp_path, group=group, report=report)

    in_threads(2, work)
    predictions, record = contents(tmp_path)
    assert predictions == calm[0]
    assert record["predictions"].pop("batch_size_halved_to", None) == smallest
    assert record == calm[1]
    # Of three planned batches the first and third, and the second: each sample once.
    assert [answered(model) for model in models] == [12, 6]


@pytest.fixture
def held(monkeypatch):
    """Process 0 is held back in its first batch, 6 of 18 samples: it computes no other one."""
    monkeypatch.setattr("harness.running.evaluate.predict", predict_held)


def test_a_process_halves_the_batch_that_it_took_over_alone(run, calm, held, tmp_path):
    models, warnings = [SomebodysGrounder(), SomebodysGrounder(most=5)], []

    def work(group):
        evaluated(run, models[group.rank], tmp_path, group=group, warn=warnings.append)

    in_threads(2, work)
    assert [[len(batch) for batch in model.batches] for model in models] == [[6], [6, 3, 3, 3, 3]]
    predictions, record = contents(tmp_path)
    assert predictions == calm[0]
    assert record["predictions"].pop("batch_size_halved_to") == 4
    assert record == calm[1]
    assert len(warnings) == 1


def test_the_note_of_halved_batches_outlives_a_second_run_that_has_nothing_to_predict(
    run, tmp_path
):
    evaluated(run, SomebodysGrounder(most=2), tmp_path)
    before = contents(tmp_path)
    evaluated(run, SomebodysGrounder(calls=0), tmp_path)
    assert contents(tmp_path) == before
    assert before[1]["predictions"]["batch_size_halved_to"] == 2


def torn(run, out, *, batch_size):
    """Begin a run with a batch size, and fail in its second batch."""
    with pytest.raises(HarnessError):
        evaluated(run, SomebodysGrounder(calls=1), out, batch_size=batch_size)


@pytest.mark.parametrize("resumed_with", [None, 16, 18])
def test_a_resumed_run_keeps_the_batches_it_was_begun_with_and_warns_of_another_size(
    resumed_with, run, calm, tmp_path
):
    """What the record says of the batch size is true of every prediction."""
    torn(run, tmp_path, batch_size=8)
    model, warnings = SomebodysGrounder(), []
    evaluated(run, model, tmp_path, batch_size=resumed_with, warn=warnings.append)
    assert [len(batch) for batch in model.batches] == [6, 6]
    assert contents(tmp_path) == calm
    assert calm[1]["software"]["batch_size"] == 8
    assert warnings == (
        []
        if resumed_with is None
        else [
            f"c refcoco+ val: was begun with batches of 8, which it keeps; --fresh begins anew "
            f"with batches of {resumed_with}"
        ]
    )


def test_a_resumed_run_cuts_its_batches_to_a_smaller_size_and_the_record_says_so(
    run, calm, tmp_path
):
    """The remedy for a system that kills a process whose memory is full, instead of telling it."""
    torn(run, tmp_path, batch_size=8)
    model, warnings = SomebodysGrounder(), []
    evaluated(run, model, tmp_path, batch_size=4, warn=warnings.append)
    assert [len(batch) for batch in model.batches] == [3, 3, 3, 3]
    predictions, record = contents(tmp_path)
    assert predictions == calm[0]
    assert record["predictions"].pop("batch_size_halved_to") == 4
    assert record == calm[1]
    assert "begun with batches of 8, now cut to 4; --fresh begins anew" in warnings[0]


class Costly(SomebodysGrounder):
    """The same with a cost model, by which a sample takes a megabyte."""

    def __init__(self, free):
        super().__init__()
        self.free = free

    def memory_budget(self):
        return MemoryBudget(self.free, 0, 16)

    def cost(self, workload):
        return Cost(1.0, 0.0, 1e6 * workload.samples)


@pytest.mark.parametrize("free", [16_000_000, 16_000_001, 20_123_456, 31_999_999])
def test_how_much_is_free_to_the_byte_does_not_change_the_batches(free, run):
    samples = run.task.load(run.data, run.split)
    assert fitting_batch_size(run.task, Costly(free), samples) == 8
    assert fitting_batch_size(run.task, SomebodysGrounder(), samples) == 32
