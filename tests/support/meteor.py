"""One METEOR for all test processes, and one index of its paraphrases.

The test process that needs METEOR first starts it, with the paraphrases of the texts at hand as a
run does, and scores for the others. Texts of other words start it again, with those as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Client, Listener
from pathlib import Path
from threading import Thread

import pytest
from filelock import FileLock

from harness.metrics import captions
from harness.metrics.java import USER_OPTIONS
from harness.metrics.meteor import MeteorScorer, MeteorScores, Texts

# Each of them ends METEOR or the tokenizer, or makes it write what is no number.
HARMFUL = "-XX:NoSuchOption -Xmx8m -Xlog:gc:stdout -Duser.language=de -Dfile.encoding=UTF-16"

_try_scorers = captions._try_scorers  # before any test replaces it


class GrowingMeteor(MeteorScorer):
    """METEOR, started for any number of new words, and never with all paraphrases."""

    def score(self, candidates: Texts, truths: Texts) -> MeteorScores:
        self._starts = 0
        return super().score(candidates, truths)


class SharedMeteor:
    """A scorer in place of `MeteorScorer`; `folder` is one of all test processes."""

    def __init__(self, folder: Path) -> None:
        self._starting = FileLock(folder / "meteor.lock")
        self._address = folder / "meteor.address"
        self._secret = str(folder).encode()
        self._own: GrowingMeteor | None = None

    def score(self, candidates: Texts, truths: Texts) -> MeteorScores:
        """Score by the METEOR of this process or of another one."""
        with self._starting:
            if not self._address.exists():
                self._own = GrowingMeteor()
                self._listen(self._own)
        if self._own is None:
            try:
                port = int(self._address.read_text())
                with Client(("127.0.0.1", port), authkey=self._secret) as client:
                    client.send((dict(candidates), dict(truths)))
                    result = client.recv()
            except (OSError, EOFError):  # that process has ended
                self._own = GrowingMeteor()
            else:
                if isinstance(result, Exception):
                    raise result
                return result
        return self._own.score(candidates, truths)

    def _listen(self, scorer: GrowingMeteor) -> None:
        listener = Listener(("127.0.0.1", 0), authkey=self._secret)
        self._address.write_text(str(listener.address[1]))
        Thread(target=self._serve, args=(listener, scorer), daemon=True).start()

    @staticmethod
    def _serve(listener: Listener, scorer: GrowingMeteor) -> None:
        """Score for one process after the other."""
        while True:
            with listener.accept() as client:
                try:
                    result = scorer.score(*client.recv())
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
