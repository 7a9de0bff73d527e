"""METEOR by its Java process, which is started once and serves all captions."""

import atexit
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.metrics.caption_sums import METEOR_COUNTS, Meteor

Texts = Mapping[int, Sequence[str]]  # tokenized captions or references by number of the image


def score_meteor(candidates: Texts, truths: Texts) -> tuple[float, Meteor]:
    """Return METEOR and its counts, by the protocol of the wrapper's `compute_score`.

    Raises HarnessError where its process ends, or answers anything but numbers.
    """
    process = meteor_process()
    try:
        with process.lock:
            lines = [process._stat(text, truths[number]) for number, (text,) in candidates.items()]
            process.meteor_p.stdin.write(" ||| ".join(["EVAL", *lines]).encode() + b"\n")
            process.meteor_p.stdin.flush()
            *_, overall = (float(process.meteor_p.stdout.readline()) for _ in range(len(lines) + 1))
        counts = np.array([line.split() for line in lines], dtype=np.float64).astype(np.int32)
        counts = counts.reshape(len(lines), METEOR_COUNTS)
    except (OSError, ValueError) as error:
        meteor_process.cache_clear()
        process.meteor_p.kill()
        output = process.meteor_p.stderr.read().decode(errors="replace").strip()[-300:]
        with suppress(OSError):  # what was still to be written; the wrapper's `__del__` would raise
            process.meteor_p.stdin.close()
        _end(process.meteor_p)
        raise HarnessError(f"METEOR failed ({error}): {output or 'it said nothing'}") from error
    return 100 * overall, Meteor(counts)


@cache
def meteor_process() -> Any:
    """Return METEOR's process, started once: it takes ten seconds to load its paraphrases."""
    from pycocoevalcap.meteor.meteor import Meteor as MeteorProcess

    process = MeteorProcess()
    atexit.register(_end, process.meteor_p)
    return process


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and close its pipes; the wrapper leaves two of them open."""
    with process:
        process.kill()
