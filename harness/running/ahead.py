"""What runs need from files, read in threads before they need it.

    with ReadAhead(runs, hash=verified_sha256) as ahead:
        ahead.begin_samples(run)         # in a thread, while this one loads the model
        ...
        samples = ahead.samples(run)     # waits; raises what reading raised

Nothing is read twice, no error is lost: each is raised where its result is taken, once. A block
that ends, by an error of the caller too, waits for what has begun and begins nothing more.

With `XVLM_EVAL_READ_AHEAD=1`, what the next run needs is read while the current one predicts: its
annotations and, for another task, the hash of its weights from the first batch on; the images of
its first batches, for the same model, once the last batch was handed out.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from types import TracebackType
from typing import NamedTuple, Self

from harness.capabilities import Model
from harness.checkpoints import Weights
from harness.errors import UsageError
from harness.files.reads import Reads, State, file_state, reading_into
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.running.decoding import wants_processes
from harness.running.distributed import ProcessGroup, deal
from harness.running.loader import AHEAD, files_of, plan_batches
from harness.running.run import Run
from harness.running.source import Batches, DecodedAhead, Source, hand_out, samples_of
from harness.running.subset import subset
from harness.task import Sample

# Seconds after which a thread that computes in Python gives way to one that waits for the
# interpreter's lock: Python's default, 0.005, lets the other one wait that long at every operation.
SWITCH_INTERVAL = 0.0005
NEXT_RUN = "XVLM_EVAL_READ_AHEAD"


class Hashing(NamedTuple):
    """The hash of a weight file on its way, and the state that the file had before.

    `sha256` is None in a process that leaves hashing to another one of its machine.
    """

    before: State | None
    sha256: Future[str] | None


class ReadAhead:
    """Reads the samples of runs, and hashes their weights, each once, in threads."""

    def __init__(
        self, runs: Sequence[Run], group: ProcessGroup, *, hash: Callable[[Weights], str]
    ) -> None:
        self._hash, self._group = hash, group
        self._next: dict[tuple[str, str], Run] = {}
        wants_processes()  # a wrong setting is refused before anything is loaded
        if _wants_next_run():
            self._next = {_key(run): following for run, following in pairwise(runs)}
        self._images: dict[tuple[str, str], Future[DecodedAhead | None]] = {}
        self._hashes_here = group.rank == 0 or os.environ.get("LOCAL_RANK") == "0"
        self._threads = ThreadPoolExecutor(3)
        self._samples: dict[tuple[str, str], Future[Sequence[Sample]]] = {}
        self._hashes: dict[str, Hashing] = {}
        # What the splits of a task have in common is read once.
        splits = Counter(run.task.name for run in runs)
        self._reads = {task: Reads(share=count > 1) for task, count in splits.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for what has begun."""
        self._threads.shutdown(cancel_futures=True)
        for begun in self._images.values():
            if (images := _result_of(begun)) is not None:
                images.close()

    @contextmanager
    def reading(self, run: Run) -> Iterator[None]:
        """Let the block know what was read for the runs of a task, which ends with it."""
        with reading_into(self._reads[run.task.name]):
            yield
        del self._reads[run.task.name]

    @contextmanager
    def source(self, run: Run, model: Model) -> Iterator[Source]:
        """Return where a run gets its samples and images; begins what the next one needs."""
        images = _result_of(self._images.pop(_key(run), None))
        following = self._next.get(_key(run))
        try:
            yield Source(
                self.samples,
                hand_out if following is None else partial(self._hand_out, following, model, run),
                None if images is None else images.read,
            )
        finally:
            if images is not None:
                images.close()

    def begin_samples(self, run: Run) -> None:
        """Begin to read the samples of a run, unless that has begun."""
        if _key(run) not in self._samples:
            self._samples[_key(run)] = self._threads.submit(self._load, run)

    def wait_for_samples(self, run: Run) -> None:
        """Wait until the samples of a run were read, or could not be: `samples` raises why."""
        if (reading := self._samples.get(_key(run))) is not None:
            wait([reading])

    def samples(self, run: Run) -> Sequence[Sample]:
        """Return the samples of a run, once. Raises what reading them raised."""
        self.begin_samples(run)
        return self._samples.pop(_key(run)).result()

    def begin_hash(self, run: Run) -> None:
        """Begin to hash the weights of a run's task, unless that has begun."""
        if run.task.name not in self._hashes:
            before = file_state(run.weights.path)
            sha256 = self._threads.submit(self._hash, run.weights) if self._hashes_here else None
            self._hashes[run.task.name] = Hashing(before, sha256)

    def hashing(self, run: Run) -> Hashing:
        """Return the hash of a run's weights, on its way."""
        self.begin_hash(run)
        return self._hashes[run.task.name]

    def _hand_out(
        self, following: Run, model: Model, run: Run, batches: Batches, batch_size: int
    ) -> Batches:
        """Yield the batches of a run, and begin what the following one needs."""
        same_model = following.task.name == run.task.name
        self.begin_samples(following)
        if not same_model:
            self.begin_hash(following)
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
        if _key(run) in self._images or run.path(PREDICTIONS).exists() or wants_processes():
            return
        loading = self._samples[_key(run)]
        self._images[_key(run)] = self._threads.submit(
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

    def _load(self, run: Run) -> Sequence[Sample]:
        with reading_into(self._reads[run.task.name]):
            return samples_of(run)


@contextmanager
def sharing_the_lock() -> Iterator[None]:
    """Let threads take turns often, in a block whose thread calls many short native operations."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _wants_next_run() -> bool:
    setting = os.environ.get(NEXT_RUN) or "0"
    if setting not in ("0", "1"):
        raise UsageError(f"{NEXT_RUN}={setting}: expected 0 or 1")
    return setting == "1"


def _result_of(begun: Future[DecodedAhead | None] | None) -> DecodedAhead | None:
    """Return images on their way; None where none are, the run raises the reason in its turn."""
    if begun is None or begun.cancelled() or begun.exception() is not None:
        return None
    return begun.result()


def _key(run: Run) -> tuple[str, str]:
    return run.task.name, run.split
