"""What a benchmark is: official annotation files in, samples out; predictions in, metrics out.

Read this first, then `capabilities/`, then `running/evaluate.py`. A task goes through a run in
three steps, each of them one method:

    samples = task.load(data, "val")                 # annotation files -> samples
    predictions = task.predict(model, batch)         # a batch of samples -> one call of the model
    scores = task.score(samples, predictions)        # predictions by id -> the official metrics

Commands load by `load_samples`, which calls `task.load` and refuses samples that share an id. The
runner decodes images, forms batches, and stores every prediction on disk before it is scored. A
task never sees a file name of its output, a pixel, or torch.

task.py      Task, a benchmark: what each file in `tasks/` implements
samples.py   Sample, what a task reads, and Batch, what a model predicts at once
scores.py    Scores, what a task computes from predictions
loading.py   load_samples, by which every command loads
gallery.py   GalleryTask, a benchmark that compares every image with every text
"""

from harness.task.gallery import GalleryTask, workload_of
from harness.task.loading import load_samples, without_garbage_collection
from harness.task.samples import Batch, M, Prediction, S, Sample, SampleId, samples_of_columns
from harness.task.scores import Scores
from harness.task.task import Task

__all__ = [
    "Batch",
    "GalleryTask",
    "M",
    "Prediction",
    "S",
    "Sample",
    "SampleId",
    "Scores",
    "Task",
    "load_samples",
    "samples_of_columns",
    "without_garbage_collection",
    "workload_of",
]
