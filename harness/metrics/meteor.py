"""METEOR 1.5 by its own program in Java, by the protocol of pycocoevalcap's wrapper.

The program is the wrapper's, with the same options. It is given the paraphrases that the texts at
hand can use, instead of all of them: the same numbers, without ten seconds of loading.
"""

import atexit
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.metrics.caption_sums import METEOR_COUNTS
from harness.metrics.java import java_environment
from harness.metrics.paraphrases import NO_PARAPHRASES, paraphrases_of, words_of

STARTS = 2  # with paraphrases of other texts; the next start has all of them, and is the last

Texts = Mapping[int, Sequence[str]]  # tokenized captions or references by number of the image


class MeteorScores(NamedTuple):
    """METEOR of all images, in 0..1, and the counts [images, 23] of each."""

    overall: float
    counts: NDArray[np.int32]


class MeteorProcess:
    """A running METEOR."""

    def __init__(self, paraphrases: bytes | None) -> None:
        """Start METEOR with a compressed table of paraphrases, or None for its own."""
        from pycocoevalcap.meteor import meteor

        jar = Path(meteor.__file__).parent / meteor.METEOR_JAR
        command = ["java", "-jar", "-Xmx2G", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
        self._folder = tempfile.TemporaryDirectory()
        if paraphrases is not None:
            path = Path(self._folder.name) / "paraphrases.gz"
            path.write_bytes(paraphrases)
            command += ["-a", str(path)]
        self._process = subprocess.Popen(
            command,
            cwd=jar.parent,
            env=dict(java_environment()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        atexit.register(self.end)

    def score(self, candidates: Texts, truths: Texts) -> MeteorScores:
        """Score a caption for each image. Raises HarnessError, with METEOR's last words."""
        try:
            lines = [self._counts(text, truths[image]) for image, (text,) in candidates.items()]
            self._write(" ||| ".join(["EVAL", *lines]))
            *_, overall = (float(self._read()) for _ in range(len(lines) + 1))
            counts = np.array([line.split() for line in lines], dtype=np.float64).astype(np.int32)
            return MeteorScores(overall, counts.reshape(len(lines), METEOR_COUNTS))
        except (OSError, ValueError) as error:
            output = self.end()[-300:]
            message = f"METEOR failed ({error}): {output or 'it said nothing'}"
            raise HarnessError(message) from error

    def is_running(self) -> bool:
        """Return whether METEOR has not ended, as by Ctrl-C, which reaches it too."""
        return self._process.poll() is None

    def end(self) -> str:
        """Kill METEOR, and return what it wrote to its standard error."""
        atexit.unregister(self.end)
        process, output = self._process, ""
        process.kill()
        if process.stderr is not None and not process.stderr.closed:
            output = process.stderr.read().decode(errors="replace").strip()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):  # what was still to be written
                    pipe.close()
        process.wait()
        self._folder.cleanup()
        return output

    def _counts(self, caption: str, references: Sequence[str]) -> str:
        """Return the line of counts of a caption, as the wrapper's `_stat`."""
        caption = caption.replace("|||", "").replace("  ", " ")
        self._write(" ||| ".join(("SCORE", " ||| ".join(references), caption)))
        return self._read()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()


class MeteorScorer:
    """METEOR for any texts, by a process that is kept while it has the paraphrases of all words."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = Lock()
        self._process: MeteorProcess | None = None
        self._words: frozenset[bytes] | None = frozenset()  # None: all words
        self._starts = 0

    def score(self, candidates: Texts, truths: Texts) -> MeteorScores:
        """Score a caption for each image. Raises HarnessError where METEOR fails."""
        words = words_of(text for texts in (candidates, truths) for text in _all_of(texts))
        with self._lock:
            process = self._with_paraphrases_of(words)
            try:
                return process.score(candidates, truths)
            except BaseException:  # what it was asked and has not answered would come next
                self.end()
                raise

    def end(self) -> None:
        """End the process, if one is running."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _with_paraphrases_of(self, words: frozenset[bytes] | None) -> MeteorProcess:
        """Return a running process with the paraphrases of these words, None for all of them."""
        known = self._words is None or (words is not None and words <= self._words)
        if self._process is None or not known or not self._process.is_running():
            self.end()
            if words is None or self._words is None or self._starts >= STARTS:
                self._words = None
            else:
                self._words |= words
            table = None if self._words is None else paraphrases_of(self._words, _table())
            self._process = MeteorProcess(table)
            self._starts += 1
        return self._process


@cache
def meteor_scorer() -> MeteorScorer:
    """Return the scorer of this process."""
    return MeteorScorer()


def begin_meteor_trial(candidates: Texts, truths: Texts) -> Callable[[], float]:
    """Start METEOR without paraphrases, and return a function that scores by it and ends it.

    Raises HarnessError where METEOR's own table is not there.
    """
    if not _table().is_file():
        raise HarnessError(f"{_table()}: no such file; install pycocoevalcap again")
    process = MeteorProcess(NO_PARAPHRASES)

    def end() -> float:
        try:
            return process.score(candidates, truths).overall
        finally:
            process.end()

    return end


def _table() -> Path:
    """Return the path of METEOR's paraphrases of English."""
    from pycocoevalcap.meteor import meteor

    return Path(meteor.__file__).parent / "data" / "paraphrase-en.gz"


def _all_of(texts: Texts) -> Iterable[str]:
    return (text for group in texts.values() for text in group)
