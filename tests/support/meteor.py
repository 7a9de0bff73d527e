"""One METEOR, with all paraphrases, for all test processes: it loads them for ten seconds.

The test process that needs it first starts it and scores for the others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Client, Listener
from pathlib import Path
from threading import Lock, Thread
from unittest import mock

import pytest
from filelock import FileLock

from harness.metrics import captions, java
from harness.metrics.java import USER_OPTIONS
from harness.metrics.meteor import MeteorProcess, MeteorScorer, MeteorScores, Texts

# Each of them ends METEOR or the tokenizer, or makes it write what is no number.
HARMFUL = "-XX:NoSuchOption -Xmx8m -Xlog:gc:stdout -Duser.language=de -Dfile.encoding=UTF-16"

FIRST_COMPILER_ALONE = "-XX:TieredStopAtLevel=1"
assert FIRST_COMPILER_ALONE in java.OPTIONS

_try_scorers = captions._try_scorers  # before any test replaces it


class SharedMeteor:
    """A scorer in place of `MeteorScorer`; `folder` is one of all test processes."""

    def __init__(self, folder: Path) -> None:
        self._starting, self._scoring = FileLock(folder / "meteor.lock"), Lock()
        self._address = folder / "meteor.address"
        self._secret = str(folder).encode()
        self._process: MeteorProcess | None = None

    def score(self, candidates: Texts, truths: Texts) -> MeteorScores:
        """Score by the METEOR of this process or of another one."""
        with self._starting:
            if not self._address.exists():
                self._process = self._start()
                self._listen()
        if self._process is None:
            try:
                port = int(self._address.read_text())
                with Client(("127.0.0.1", port), authkey=self._secret) as client:
                    client.send((dict(candidates), dict(truths)))
                    result = client.recv()
            except (OSError, EOFError):  # that process has ended
                self._process = self._start()
            else:
                if isinstance(result, Exception):
                    raise result
                return result
        return self._score(candidates, truths)

    @staticmethod
    def _start() -> MeteorProcess:
        """Start METEOR with both compilers of Java: all paraphrases take it seconds less."""
        with mock.patch.object(java, "OPTIONS", java.OPTIONS.replace(FIRST_COMPILER_ALONE, "")):
            return MeteorProcess(None)

    def _score(self, candidates: Texts, truths: Texts) -> MeteorScores:
        with self._scoring:
            return self._process.score(candidates, truths)

    def _listen(self) -> None:
        listener = Listener(("127.0.0.1", 0), authkey=self._secret)
        self._address.write_text(str(listener.address[1]))
        Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: Listener) -> None:
        """Score for one process after the other."""
        while True:
            with listener.accept() as client:
                try:
                    result = self._score(*client.recv())
                except Exception as error:
                    result = error
                client.send(result)


def share_meteor(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have all test processes score by one METEOR, whose user has set harmful options of Java."""
    for name in USER_OPTIONS:
        patch.setenv(name, HARMFUL)
    meteor = SharedMeteor(folder)
    patch.setattr(captions, "meteor_scorer", lambda: meteor)


@contextmanager
def own_meteor() -> Iterator[None]:
    """Have a block start METEOR itself, as a run does: with the paraphrases of its texts."""
    scorer = MeteorScorer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captions, "meteor_scorer", lambda: scorer)
        patch.setattr(captions, "_try_scorers", cache(_try_scorers.__wrapped__))
        try:
            yield
        finally:
            scorer.end()
