"""What runs need from files, read in threads before they need it.

    with ReadAhead(runs, group, hash=verified_sha256) as ahead:
        ahead.begin_samples(run)         # in a thread, while this one loads the model
        ...
        samples = ahead.samples(run)     # waits; raises what reading raised

Nothing is read twice, no error is lost: each is raised where its result is taken, once. A block
that ends, by an error of the caller too, waits for what has begun and begins nothing more.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import NamedTuple, Self

from harness.checkpoints import Weights
from harness.files.reads import Reads, State, file_state, reading_into
from harness.running.processes.distributed import ProcessGroup
from harness.running.run import Run
from harness.running.source import samples_of
from harness.task import Sample

# Seconds after which a thread that computes in Python gives way to one that waits for the
# interpreter's lock: Python's default, 0.005, lets the other one wait that long at every operation.
SWITCH_INTERVAL = 0.0005


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
        self._hash = hash
        self._hashes_here = group.rank == 0 or os.environ.get("LOCAL_RANK") == "0"
        self._threads = ThreadPoolExecutor(3)
        self._samples: dict[tuple[str, str], Future[Sequence[Sample]]] = {}
        self._hashes: dict[str, Hashing] = {}
        # What the splits of a task have in common is read once.
        splits = Counter(run.task.name for run in runs)
        self._reads = {task: Reads(share=count > 1) for task, count in splits.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Wait for what has begun."""
        self._threads.shutdown(cancel_futures=True)

    @contextmanager
    def reading(self, run: Run) -> Iterator[None]:
        """Let the block know what was read for the runs of a task, which ends with it."""
        with reading_into(self._reads[run.task.name]):
            yield
        del self._reads[run.task.name]

    def begin_samples(self, run: Run) -> Future[Sequence[Sample]]:
        """Begin to read the samples of a run, unless that has begun; return them on their way."""
        if run.key not in self._samples:
            self._samples[run.key] = self._threads.submit(self._load, run)
        return self._samples[run.key]

    def wait_for_samples(self, run: Run) -> None:
        """Wait until the samples of a run were read, or could not be: `samples` raises why."""
        if (reading := self._samples.get(run.key)) is not None:
            wait([reading])

    def samples(self, run: Run) -> Sequence[Sample]:
        """Return the samples of a run, once. Raises what reading them raised."""
        self.begin_samples(run)
        return self._samples.pop(run.key).result()

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
