"""Decode image files beside the model: in threads, or in processes that write to shared memory.

Threads share Python's interpreter lock with the thread that drives the model; processes do not.
Both decode by the same code, to the same pixels. Processes are used where
`XVLM_EVAL_DECODING=processes` asks for them, on Linux, for a model whose `prepare` can be pickled.
"""

import os
from contextlib import suppress

from harness.files.environment import choice
from harness.images import PrepareAny
from harness.running.decoding.decoder import Decoder, Note, Read
from harness.running.decoding.processes import ProcessDecoder, pickle_prepare
from harness.running.decoding.threads import ThreadDecoder

DECODING = "XVLM_EVAL_DECODING"
THREADS, PROCESSES = "threads", "processes"


def make_decoder(
    prepare: PrepareAny,
    workers: int,
    note: Note | None = None,
    *,
    as_pixels: bool = True,
    read: Read | None = None,
) -> Decoder:
    """Return the decoder that the environment asks for and that `prepare` allows.

    Processes write `as_pixels` only: images of one shape, into one array of bytes. `note` is called
    with the prepared views of each file, by threads of this process. Threads `read` the views of a
    file by that function; processes never use it.
    """
    if wants_processes() and as_pixels and hasattr(os, "memfd_create"):
        content = pickle_prepare(prepare)
        if content is not None:
            with suppress(OSError):  # a system without /dev/shm has no semaphores for processes
                return ProcessDecoder(content, workers, note)
    return ThreadDecoder(prepare, workers, note, read)


def wants_processes() -> bool:
    """Return whether the environment asks for processes. Raises UsageError for another setting."""
    return choice(DECODING, THREADS, PROCESSES) == PROCESSES
