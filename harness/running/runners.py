"""The two loops of a run: batch by batch, and over a whole gallery.

Both take loaded batches and hand every prediction to `append` as soon as it is made.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import (
    AllGather,
    DualEncoder,
    Gallery,
    ImagesOf,
    Model,
    PairScorer,
    T,
)
from harness.engine.memory import is_out_of_memory
from harness.errors import CapabilityError, HarnessError, MemoryFull, ModelError, first_line
from harness.running.plugin_errors import note_samples, noting_samples
from harness.task import Batch, GalleryTask, M, Prediction, S, Sample, SampleId, Task

Append = Callable[[Iterable[tuple[Sample, Prediction]]], None]


def predict_batches(
    task: Task[S, M], model: M, batches: Iterable[Batch[S]], append: Append
) -> None:
    """Predict batch by batch: the loop of every task but retrieval."""
    for batch in batches:
        with noting_samples(batch.samples):
            predictions = task.predict(model, batch)
        if len(predictions) != len(batch.samples):
            raise ModelError(
                f"{task.name}: {len(predictions)} predictions for a batch of {len(batch.samples)} "
                f"samples, the first of which is {batch.samples[0].id!r}"
            )
        append(zip(batch.samples, predictions, strict=True))


def predict_gallery(
    task: GalleryTask,
    model: Model,
    samples: Sequence[Sample],
    batches: Iterable[Batch[Sample, ImagesOf]],
    append: Append,
    *,
    wanted: Container[SampleId],
    all_gather: AllGather,
    claim: Callable[[Sample], bool] = lambda sample: True,
    others: Iterable[Batch[Sample, ImagesOf]] = (),
) -> None:
    """Stream the images of a gallery to the engine, then predict the `wanted` samples one by one.

    `batches` are all batches of this process: even the image of a sample with a prediction is a
    candidate for the texts of other samples. `claim` and `others` are those of `Gallery`.

    Raises HarnessError if memory runs out after the features were gathered: the gallery cannot be
    restarted then, as the other processes would block in a gather that they have completed.
    """
    # Imported here: it imports torch, which finding files and names never needs.
    from harness.engine.two_stage_retrieval import retrieve

    if not isinstance(model, DualEncoder | PairScorer):
        raise CapabilityError(f"{task.name} needs a PairScorer or a DualEncoder")
    index = {sample.id: number for number, sample in enumerate(samples)}
    texts = [text for sample in samples for text in task.texts(sample)]
    gathered = False
    encoding: Sequence[Sample] = ()

    def numbered(
        batches: Iterable[Batch[Sample, ImagesOf]],
    ) -> Iterator[tuple[list[int], ImagesOf, NDArray[np.int64]]]:
        nonlocal encoding
        for batch in batches:
            encoding = batch.samples
            yield [index[sample.id] for sample in batch.samples], batch.images, batch.image_of[:, 0]

    def gather(value: T) -> list[T]:
        nonlocal gathered, encoding
        gathered, encoding = True, ()
        return all_gather(value)

    indices = {number for id, number in index.items() if id in wanted}
    gallery = Gallery(
        numbered(batches), gather, lambda number: claim(samples[number]), numbered(others)
    )
    try:
        for matches in retrieve(
            model, gallery, texts, shortlist=task.shortlist_of(model), wanted=indices
        ):
            append([(samples[matches.image], task.as_prediction(matches))])
    except Exception as error:
        if gathered and (isinstance(error, MemoryFull) or is_out_of_memory(error)):
            reason = first_line(error) if str(error) else "out of memory"
            raise HarnessError(
                f"{reason}, and smaller batches do not help here; use more processes (torchrun), "
                "another --device or --dtype; what was predicted is kept, the same command "
                "continues"
            ) from error
        if not isinstance(error, HarnessError):
            note_samples(error, encoding)
        raise


def predict_samples(
    task: Task, model: Model, samples: Sequence[Sample], batches: Iterable[Batch]
) -> dict[SampleId, Prediction]:
    """Return the predictions for samples whose batches are loaded, in this process alone."""
    predictions: dict[SampleId, Prediction] = {}

    def append(new: Iterable[tuple[Sample, Prediction]]) -> None:
        predictions.update((sample.id, prediction) for sample, prediction in new)

    if isinstance(task, GalleryTask):
        predict_gallery(
            task,
            model,
            samples,
            batches,
            append,
            wanted={sample.id for sample in samples},
            all_gather=lambda value: [value],
        )
    else:
        predict_batches(task, model, batches, append)
    return predictions
