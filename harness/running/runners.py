"""The two loops of a run: batch by batch, and over a whole gallery.

Both take loaded batches and hand every prediction to `append` as soon as it is made.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import Gallery, Model, shortlist_of
from harness.errors import HarnessError, MemoryFull
from harness.task import Batch, GalleryTask, Prediction, Sample, SampleId, Task

Append = Callable[[Iterable[tuple[SampleId, Prediction]]], None]
AllGather = Callable[[Any], list[Any]]


def predict_batches(task: Task, model: Model, batches: Iterable[Batch], append: Append) -> None:
    """Predict batch by batch: the loop of every task but retrieval."""
    for batch in batches:
        predictions = task.predict(model, batch)
        append(zip([sample.id for sample in batch.samples], predictions, strict=True))


def predict_gallery(
    task: GalleryTask,
    model: Any,
    samples: Sequence[Sample],
    batches: Iterable[Batch],
    append: Append,
    *,
    wanted: Container[SampleId],
    all_gather: AllGather,
) -> None:
    """Stream the images of a gallery to the engine, then predict the `wanted` samples one by one.

    `batches` are all batches of this process: even the image of a sample with a prediction is a
    candidate for the texts of other samples. Raises HarnessError if memory runs out after the
    features were gathered: the gallery cannot be restarted then, as the other processes would
    block in a gather that they have completed.
    """
    # Imported here: it imports torch, which finding files and names never needs.
    from harness.engine.two_stage_retrieval import retrieve

    index = {sample.id: number for number, sample in enumerate(samples)}
    texts = [text for sample in samples for text in task.texts(sample)]
    gathered = False

    def shard() -> Iterator[tuple[list[int], NDArray[np.uint8], NDArray[np.int64]]]:
        for batch in batches:
            yield [index[sample.id] for sample in batch.samples], batch.images, batch.image_of[:, 0]

    def gather(value: Any) -> list[Any]:
        nonlocal gathered
        gathered = True
        return all_gather(value)

    indices = {number for id, number in index.items() if id in wanted}
    try:
        gallery = Gallery(shard(), gather)
        shortlist = shortlist_of(model, task.shortlist)
        for matches in retrieve(model, gallery, texts, shortlist=shortlist, wanted=indices):
            prediction = task.as_prediction(matches._replace(shortlist=shortlist))
            append([(samples[matches.image].id, prediction)])
    except (MemoryFull, MemoryError) as error:
        if not gathered:
            raise
        raise HarnessError(
            f"{str(error) or 'out of memory'}, and smaller batches do not help here; use more "
            "processes (torchrun), another --device or --dtype; what was predicted is kept, the "
            "same command continues"
        ) from error


def predict_samples(
    task: Task, model: Model, samples: Sequence[Sample], batches: Iterable[Batch]
) -> dict[SampleId, Prediction]:
    """Return the predictions for samples whose batches are loaded, in this process alone."""
    predictions: dict[SampleId, Prediction] = {}
    if isinstance(task, GalleryTask):
        predict_gallery(
            task,
            model,
            samples,
            batches,
            predictions.update,
            wanted={sample.id for sample in samples},
            all_gather=lambda value: [value],
        )
    else:
        predict_batches(task, model, batches, predictions.update)
    return predictions
