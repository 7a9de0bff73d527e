"""One METEOR for all test processes: it loads its paraphrases for ten seconds of a core.

The test process that needs it first starts it, as a run does, and scores for the others.
"""

from functools import cache
from multiprocessing.connection import Client, Listener
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from filelock import FileLock

from harness.metrics import captions
from harness.metrics.java import USER_OPTIONS

# Each of them ends METEOR or the tokenizer, or makes it write what is no number.
HARMFUL = "-XX:NoSuchOption -Xmx8m -Xlog:gc:stdout -Duser.language=de -Dfile.encoding=UTF-16"

_start, _score = captions._meteor_process, captions._meteor


class SharedMeteor:
    """METEOR, started by the first test process that calls it; `folder` is one of all of them."""

    def __init__(self, folder: Path) -> None:
        self._lock = FileLock(folder / "meteor.lock")
        self._address = folder / "meteor.address"
        self._ours: bool | None = None
        self._secret = str(folder).encode()

    def __call__(self) -> Any:
        """Take the place of `captions._meteor_process`; only the process that starts it has one."""
        with self._lock:
            if self._ours is None:
                self._ours = not self._address.exists()
                if self._ours:
                    _start()
                    self._listen()
        return _start() if self._ours else None

    cache_clear = staticmethod(_start.cache_clear)

    def score(self, candidates: captions.Texts, truths: captions.Texts) -> Any:
        """Take the place of `captions._meteor`."""
        self()
        if self._ours:
            return _score(candidates, truths)
        try:
            port = int(self._address.read_text())
            with Client(("127.0.0.1", port), authkey=self._secret) as client:
                client.send((dict(candidates), dict(truths)))
                result = client.recv()
        except (OSError, EOFError):  # that process has ended
            self._ours = True
            return _score(candidates, truths)
        if isinstance(result, Exception):
            raise result
        return result

    def _listen(self) -> None:
        listener = Listener(("127.0.0.1", 0), authkey=self._secret)
        self._address.write_text(str(listener.address[1]))
        Thread(target=_serve, args=(listener,), daemon=True).start()


def _serve(listener: Listener) -> None:
    """Score for one process after the other."""
    while True:
        with listener.accept() as client:
            try:
                result = _score(*client.recv())
            except Exception as error:
                result = error
            client.send(result)


def share_meteor(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have all test processes score by one METEOR, whose user has set harmful options of Java."""
    for name in USER_OPTIONS:
        patch.setenv(name, HARMFUL)
    meteor = SharedMeteor(folder)
    patch.setattr(captions, "_meteor_process", meteor)
    patch.setattr(captions, "_meteor", meteor.score)


def own_meteor(patch: pytest.MonkeyPatch) -> None:
    """Have this test start METEOR itself."""
    patch.setattr(captions, "_meteor_process", cache(_start.__wrapped__))
    patch.setattr(captions, "_meteor", _score)
    patch.setattr(captions, "_try_scorers", cache(captions._try_scorers.__wrapped__))
