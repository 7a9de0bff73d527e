"""What the next run needs, read while the current one predicts: with `XVLM_EVAL_READ_AHEAD=1`.

From the first batch on, the annotations of the next run are read and, for another task, its weights
hashed. For the same model, the images of its first batches are decoded once the last batch of this
run was handed out. The next run raises errors in its turn, after the record of this one.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Self

from harness.capabilities import Model
from harness.files.environment import is_on
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.running.ahead import ReadAhead
from harness.running.decoding.choice import wants_processes
from harness.running.loader import AHEAD, files_of, plan_batches
from harness.running.processes.distributed import ProcessGroup, deal
from harness.running.run import Run
from harness.running.source import Batches, DecodedAhead, Source, hand_out
from harness.running.subset import subset
from harness.task import Sample

READ_AHEAD = "XVLM_EVAL_READ_AHEAD"


class NextRun:
    """Begins to read what the run after the current one needs."""

    def __init__(self, runs: Sequence[Run], group: ProcessGroup, ahead: ReadAhead) -> None:
        self._group, self._ahead = group, ahead
        self._following = {a.key: b for a, b in pairwise(runs)} if wants_next_run() else {}
        self._images: dict[tuple[str, str], Future[DecodedAhead | None]] = {}
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Wait for what has begun; decode nothing more."""
        self._thread.shutdown(cancel_futures=True)
        for begun in self._images.values():
            if (images := _result_of(begun)) is not None:
                images.close()

    @contextmanager
    def source(self, run: Run, model: Model) -> Iterator[Source]:
        """Return where a run gets its samples and images; begins what the next one needs."""
        images = _result_of(self._images.pop(run.key, None))
        following = self._following.get(run.key)
        try:
            yield Source(
                self._ahead.samples,
                hand_out if following is None else partial(self._hand_out, following, model, run),
                None if images is None else images.read,
            )
        finally:
            if images is not None:
                images.close()

    def _hand_out(
        self, following: Run, model: Model, run: Run, batches: Batches, batch_size: int
    ) -> Batches:
        """Yield the batches of a run, and begin what the following one needs."""
        same_model = following.task.name == run.task.name
        self._ahead.begin_samples(following)
        if not same_model:
            self._ahead.begin_hash(following)
        for batch in batches:
            if batch is None and same_model:  # the decoders have nothing else to do
                self._begin_images(following, model, batch_size)
            yield batch
        if same_model:
            self._begin_images(following, model, batch_size)

    def _begin_images(self, run: Run, model: Model, batch_size: int) -> None:
        """Begin to decode the first batches of a run, unless that has begun.

        A run that was begun before may need other batches, or none; processes that decode would not
        take what threads of this one have decoded.
        """
        if run.key in self._images or run.path(PREDICTIONS).exists() or wants_processes():
            return
        loading = self._ahead.begin_samples(run)
        self._images[run.key] = self._thread.submit(
            self._decode_first, run, model, loading, batch_size
        )

    def _decode_first(
        self, run: Run, model: Model, loading: Future[Sequence[Sample]], batch_size: int
    ) -> DecodedAhead | None:
        """Begin to decode the first batches of a run, if they have the size of its predecessor's.

        None where its samples cannot be read, which the run says when it begins.
        """
        if loading.exception() is not None:
            return None
        samples = loading.result()
        if run.limit is not None and run.limit < len(samples):
            samples = subset(samples, run.limit)
        dealt = deal(plan_batches(samples, batch_size), self._group.size)
        first = dealt[self._group.rank][: 1 + AHEAD]
        images = DecodedAhead(model.prepare, run.speed.workers)
        return images.begin(file for batch in first for file in files_of(batch))


def wants_next_run() -> bool:
    """Whether the environment asks for it. Raises UsageError for an unknown setting."""
    return is_on(READ_AHEAD)


def _result_of(begun: Future[DecodedAhead | None] | None) -> DecodedAhead | None:
    """Return images on their way; None where none are: the run raises the reason in its turn."""
    if begun is None or begun.cancelled() or begun.exception() is not None:
        return None
    return begun.result()
