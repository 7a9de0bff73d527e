"""Caption metrics by the official scorers: BLEU-1 to 4, METEOR, ROUGE-L, CIDEr, and SPICE.

Source: pycocoevalcap (salaniz's packaging of tylin/coco-caption). Its own driver builds SPICE,
which downloads models, before it computes any metric, so the scorers are called one by one. Golden
`caption_eval`.
"""

import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, MissingError
from harness.metrics.caption_sums import Bleu, Meteor, bleu_counts
from harness.metrics.java import java_environment, java_on_path
from harness.metrics.meteor import Texts, begin_meteor_trial, meteor_scorer
from harness.statistics.means import mean_of_scores
from harness.statistics.sums import Statistic

# Java ends a line at any of these, which would silently shift all later captions by one image.
LINE_BREAKS = re.compile("[\n\r\v\f\x85\u2028\u2029]")
MAX_ORDER = 4  # of BLEU
# One caption with its reference, and its METEOR in percent, by which the scorers are tried.
TRIAL = ("a red cup on a table", "a cup on the table", 36.702433)


@dataclass(frozen=True)
class CaptionScores:
    """Each metric of all images in percent, its statistic, and the reason of each metric not run.

    BLEU and METEOR are computed from summed counts, the other metrics are means over images.
    """

    overall: Mapping[str, float]
    statistics: Mapping[str, Statistic]
    not_run: Mapping[str, str]


def score(captions: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """Score one caption per image against its references, in the order of the annotation file.

    METEOR's last digits depend on the order of references. CIDEr weights n-grams by the number of
    these images that mention them, so a part of a split scores differently. Raises ValueError for
    no image or an image without references, MissingError without Java.

    Two captions equal to their references (CIDEr's scale ends at 1000):

    >>> texts = ["a red cup on a table", "two dogs run along the beach"]
    >>> overall = score(texts, [[text] for text in texts]).overall
    >>> [round(overall[name], 2) for name in ("bleu4", "meteor", "rouge_l", "cider")]
    [100.0, 100.0, 100.0, 1000.0]
    """
    if not captions or not all(references):
        raise ValueError("no image to score, or one without a reference")
    with ThreadPoolExecutor(1) as beside:
        candidates, truths = _tokenized_pairs(captions, references)
        meteor_result = beside.submit(_meteor, candidates, truths)
        overall, statistics = _bleu(candidates, truths)
        means: dict[str, float] = {}
        for name, scorer in _mean_scorers():
            # Of these, SPICE alone starts Java, by its name.
            with java_on_path() if name == "spice" else nullcontext():
                total, values = scorer.compute_score(truths, candidates)
            means[name] = 100 * float(total)
            statistics[name] = mean_of_scores(
                [100 * float(value["All"]["f"] if name == "spice" else value) for value in values]
            )
        overall["meteor"], statistics["meteor"] = meteor_result.result()
        overall |= means
    reason = "its models are not here (stanford-corenlp-3.6.0 in pycocoevalcap's spice/lib)"
    ordered = {name: statistics[name] for name in overall}
    return CaptionScores(overall, ordered, {} if "spice" in overall else {"spice": reason})


def _tokenized_pairs(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[Texts, Texts]:
    """Return the tokens of captions and of references, by one start of the tokenizer."""
    tokens = iter(tokenized([*captions, *(text for group in references for text in group)]))
    candidates = {number: [next(tokens)] for number in range(len(captions))}
    truths = {number: [next(tokens) for _ in group] for number, group in enumerate(references)}
    return candidates, truths


def try_scorers() -> str:
    """Score one caption by PTBTokenizer and METEOR, and return the path of the Java that ran them.

    Raises MissingError, with the reason, where Java or the scorers are absent or do not work.

    >>> try_scorers().endswith(("java", "java.exe"))
    True
    """
    java = str(shutil.which("java", path=java_environment()["PATH"]))
    _try_scorers(java)
    return java


def begin_trial() -> Callable[[], None]:
    """Do the quick part of `try_scorers`, begin METEOR, and return a function that waits for it.

    Both raise MissingError as `try_scorers` does. The function may be called by a thread.
    """
    return _begin_trial(str(shutil.which("java", path=java_environment()["PATH"])))


@cache
def _try_scorers(java: str) -> None:
    _begin_trial(java)()


def _begin_trial(java: str) -> Callable[[], None]:
    caption, reference, expected = TRIAL
    with _explained(java):
        finish = begin_meteor_trial(*_tokenized_pairs([caption], [[reference]]))

    def end() -> None:
        with _explained(java):
            score = 100 * finish()
        if not math.isclose(score, expected, abs_tol=1e-4):
            raise MissingError(
                f"the caption scorers do not work with {java}: METEOR is {score} where it should "
                f"be {expected}; pip install 'xvlm-eval[java]', which brings a Java that works"
            )

    return end


@contextmanager
def _explained(java: str) -> Iterator[None]:
    """Turn errors of the scorers into MissingError with the remedy."""
    try:
        yield
    except ImportError as error:
        raise MissingError(f"the caption scorers need pycocoevalcap: {error}") from error
    except (HarnessError, OSError) as error:
        raise MissingError(
            f"the caption scorers do not work with {java}: {error}; "
            "pip install 'xvlm-eval[java]', which brings a Java that works"
        ) from error


def tokenized(texts: Sequence[str]) -> list[str]:
    """Return texts as lower-case PTB tokens without punctuation, by the scorers' own tokenizer.

    >>> tokenized(["A man, in the U.S., can't see."])
    ["a man in the u.s. ca n't see"]
    """
    from pycocoevalcap.tokenizer import ptbtokenizer

    jar = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
    lines = [LINE_BREAKS.sub(" ", text) for text in texts]
    # The package's own wrapper writes into its own folder, which may be read-only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions.txt"
        path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
        program = ["java", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer"]
        options = ["-preserveLines", "-lowerCase", "-encoding", "UTF-8"]
        process = subprocess.run(
            [*program, *options, str(path)],
            capture_output=True,
            env=dict(java_environment()),
            check=False,
        )
    outputs = process.stdout.decode("utf-8").split("\n")[: len(lines)]
    if process.returncode or len(outputs) != len(lines):
        output = process.stderr.decode(errors="replace").strip()[-300:]
        raise HarnessError(f"the tokenizer of the caption scorers failed: {output}")
    dropped = set(ptbtokenizer.PUNCTUATIONS)
    return [
        " ".join(token for token in line.rstrip().split(" ") if token not in dropped)
        for line in outputs
    ]


def _bleu(candidates: Texts, truths: Texts) -> tuple[dict[str, float], dict[str, Statistic]]:
    """Return BLEU-1 to 4 and their counts, from the scorer below the wrapper, which hides them."""
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=MAX_ORDER)
    for number, (caption,) in candidates.items():
        scorer += (caption, truths[number])
    totals, _ = scorer.compute_score(option="closest", verbose=0)
    images = [
        {**image, "closest": min((abs(n - image["testlen"]), n) for n in image["reflen"])[1]}
        for image in scorer.ctest
    ]
    orders = range(1, MAX_ORDER + 1)
    overall = {f"bleu{order}": 100 * float(totals[order - 1]) for order in orders}
    return overall, {
        f"bleu{order}": Bleu(bleu_counts(images, order=order), order) for order in orders
    }


def _meteor(candidates: Texts, truths: Texts) -> tuple[float, Meteor]:
    """Return METEOR in percent and its counts."""
    overall, counts = meteor_scorer().score(candidates, truths)
    return 100 * overall, Meteor(counts)


def _mean_scorers() -> Iterator[tuple[str, Any]]:
    """Yield the scorers whose metric is the mean over images; SPICE only where its models are."""
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.spice import spice

    yield "rouge_l", Rouge()
    yield "cider", Cider()
    models = Path(spice.__file__).parent / "lib"
    if all((models / f"stanford-corenlp-3.6.0{part}.jar").is_file() for part in ("", "-models")):
        yield "spice", spice.Spice()
