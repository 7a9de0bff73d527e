"""Images that could not be read when a run was begun, tried again when it is continued.

A skipped sample whose images can be read now is predicted anew, and so are the others of its batch:
the last digits of a float depend on what shares a matrix product, and the run has to end in the
bytes of one that has skipped nothing. In a gallery, every prediction depends on every image: such a
run is not continued.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from harness.callbacks import Warn
from harness.capabilities import Model
from harness.errors import IdentityError
from harness.records.predictions import PredictionFile
from harness.records.record import remove_record
from harness.running.loader import load_batches, plan_batches
from harness.running.prepared import apart_of
from harness.running.run import Run
from harness.running.skipped import is_skipped
from harness.task import GalleryTask, Sample, SampleId, without_garbage_collection

AT_ONCE = 8  # samples whose images are decoded together


def retry_unreadable(
    run: Run,
    model: Model,
    samples: Sequence[Sample],
    file: PredictionFile,
    *,
    inputs: Mapping[str, Any],
    batch_size: int,
    warn: Warn,
) -> None:
    """Remove from a file what was made without images that can be read now.

    That is the predictions of skipped samples and of those in their batches. The fingerprint of
    the first samples in `inputs` is filled in where they could not be read. Warns of skipped
    samples. Raises IdentityError for a gallery of which an image can be read now.
    """
    again = _to_predict_again(run, model, samples, file, batch_size=batch_size, warn=warn)
    unknown = [kind for kind, value in file.inputs.items() if value is None]
    known = {kind: inputs[kind] for kind in unknown if inputs.get(kind) is not None}
    if again:
        remove_record(run.path())  # a kill would leave it beside fewer predictions
    if again or known:
        file.amend(without=again, inputs={**file.inputs, **known})


def _to_predict_again(
    run: Run,
    model: Model,
    samples: Sequence[Sample],
    file: PredictionFile,
    *,
    batch_size: int,
    warn: Warn,
) -> Set[SampleId]:
    """Return the ids of the samples with a prediction that has to be made anew."""
    if dict not in file.kinds:  # answers and boxes, of which there may be 400,000
        return set()
    ids = {id for id, prediction in file.items() if is_skipped(prediction)}
    if not ids:
        return set()
    skipped = [sample for sample in samples if sample.id in ids]
    unreadable = _unreadable(run, model, skipped)
    readable = [sample.id for sample in skipped if sample.id not in unreadable]
    if unreadable:
        id, reason = next(iter(unreadable.items()))
        warn(
            f"{run.title}: {_count(len(unreadable))} skipped and still cannot be read, e.g. {id}: "
            f"{reason}"
        )
    if not readable:
        return set()
    if isinstance(run.task, GalleryTask):
        raise IdentityError(
            f"{file.path}: {_count(len(readable))} skipped and can be read now, e.g. "
            f"{readable[0]!r}; as all predictions of {run.task.name} depend on all images, predict "
            "anew with --fresh"
        )
    # Without --on-error skip, a batch with an unreadable image would end the run.
    kept = set() if run.skip else set(unreadable)
    again = _sharing_a_batch(samples, set(readable), batch_size, kept=kept) & file.ids
    stay = " that hold no unreadable image" if kept else ""
    warn(
        f"{run.title}: {_count(len(readable))} skipped and can be read now, e.g. {readable[0]}; "
        f"their batches{stay} are predicted anew"
    )
    return again


def _unreadable(run: Run, model: Model, samples: Sequence[Sample]) -> dict[SampleId, str]:
    """Return the samples whose images cannot be read, and why."""
    reasons: dict[SampleId, str] = {}

    def note(sample: Sample, reason: str) -> None:
        reasons[sample.id] = reason

    for _ in load_batches(
        plan_batches(samples, AT_ONCE),
        model.prepare,
        workers=run.speed.workers,
        collate=apart_of(model),
        skip=note,
    ):
        pass
    return reasons


def _sharing_a_batch(
    samples: Sequence[Sample], ids: set[SampleId], batch_size: int, *, kept: set[SampleId]
) -> set[SampleId]:
    """Return the ids of all samples in the batches of those with these ids.

    Batches that hold one of the `kept` samples are left out.
    """
    with without_garbage_collection():
        batches = plan_batches(samples, batch_size)
    return {
        sample.id
        for batch in batches
        if any(sample.id in ids for sample in batch)
        and not any(sample.id in kept for sample in batch)
        for sample in batch
    }


def _count(samples: int) -> str:
    return "1 sample was" if samples == 1 else f"{samples} samples were"
