"""One METEOR for all tests of a process, and one index of its paraphrases for all processes.

It is started as in a run, with the paraphrases of the texts at hand, and with those of all words of
the embedded benchmark, of the goldens and of `OTHER_WORDS`. Texts of other words start it again,
with those as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest

from harness.metrics import captions
from harness.metrics.java import USER_OPTIONS
from harness.metrics.meteor import MeteorScorer, MeteorScores, Texts
from harness.metrics.paraphrases import words_of
from harness.shapes.training.vocabulary import vocabulary
from tests.support.golden import golden_cases

# Each of them ends METEOR or the tokenizer, or makes it write what is not a number.
HARMFUL = "-XX:NoSuchOption -Xmx8m -Xlog:gc:stdout -Duser.language=de -Dfile.encoding=UTF-16"

# Of captions in tests and examples, so that none of them starts METEOR again.
OTHER_WORDS = "along cafés moon moons run sky thing"

# Before any test replaces them.
_begin_trial, _try_scorers = captions._begin_trial, captions._try_scorers


class GrowingMeteor(MeteorScorer):
    """METEOR, started for any number of new words, and never with all paraphrases."""

    def __init__(self) -> None:
        super().__init__()
        self._words = words_of([*vocabulary(), *_golden_captions(), OTHER_WORDS])

    def score(self, candidates: Texts, truths: Texts) -> MeteorScores:
        self._starts = 0
        return super().score(candidates, truths)


def _golden_captions() -> Iterator[str]:
    for case in golden_cases("caption_eval"):
        if (case.path / "captions_gt.json").is_file():
            yield from (entry["caption"] for entry in case.json("captions_gt.json")["annotations"])
            yield from (entry["caption"] for entry in case.json("results.json"))


def keep_meteor(patch: pytest.MonkeyPatch) -> None:
    """Have all tests score by one METEOR, whose user has set harmful options of Java.

    Nothing starts METEOR only to try it.
    """
    for name in USER_OPTIONS:
        patch.setenv(name, HARMFUL)
    scorer = GrowingMeteor()
    patch.setattr(captions, "meteor_scorer", lambda: scorer)
    patch.setattr(captions, "_begin_trial", lambda java: lambda: None)
    patch.setattr(captions, "_try_scorers", lambda java: None)


def try_scorers_as_runs_do(patch: pytest.MonkeyPatch) -> None:
    """Let the scorers be tried again, which starts METEOR."""
    patch.setattr(captions, "_begin_trial", _begin_trial)
    patch.setattr(captions, "_try_scorers", _try_scorers)


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
