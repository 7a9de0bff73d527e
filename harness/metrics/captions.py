"""Caption metrics by the official scorers: BLEU-1 to 4, METEOR, ROUGE-L, CIDEr, and SPICE where its models are.

Source: pycocoevalcap (salaniz's packaging of tylin/coco-caption); we call its scorers one by one, since its own driver builds SPICE, and
so downloads, before it computes anything. Golden `caption_eval`.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.metrics.caption_sums import METEOR_COUNTS, Bleu, Meteor, bleu_counts
from harness.metrics.java import java_environment, java_on_path
from harness.statistics.means import mean_of
from harness.statistics.sums import Statistic

# Java takes each of these for the end of a line: every later caption would move to the image before its own, silently.
LINE_BREAKS = re.compile("[\n\r\v\f\x85\u2028\u2029]")
MAX_ORDER = 4  # of BLEU

Texts = Mapping[int, Sequence[str]]  # captions of each image, by its number


@dataclass(frozen=True)
class CaptionScores:
    """Every metric in percent, of all images; what each image contributes to it; and the reason for each that was not computed.

    BLEU and METEOR are computed from summed counts, the others are the means of the images'.
    """

    overall: Mapping[str, float]
    statistics: Mapping[str, Statistic]
    not_run: Mapping[str, str]


def score(captions: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """Score a caption for each image against its references, in the order of the annotation file (METEOR's last digits depend on it).

    CIDEr weighs words by how many of these images mention them: a part of a split scores differently. Raises ValueError for no image or
    one without reference, MissingError where there is no Java.
    """
    if not captions or not all(references):
        raise ValueError("no image to score, or one without a reference")
    said = {number: [caption] for number, caption in enumerate(tokenized(captions))}
    flat = tokenized([reference for group in references for reference in group])
    ends = iter(flat)
    truth = {number: [next(ends) for _ in group] for number, group in enumerate(references)}
    overall, statistics = _bleu(said, truth)
    with java_on_path():
        overall["meteor"], statistics["meteor"] = _meteor(said, truth)
        for name, scorer in _scorers():
            total, values = scorer.compute_score(truth, said)
            overall[name] = 100 * float(total)
            statistics[name] = mean_of(
                [100 * float(value["All"]["f"] if name == "spice" else value) for value in values]
            )
    not_run = (
        {}
        if "spice" in overall
        else {
            "spice": "its models are not here (stanford-corenlp-3.6.0 in pycocoevalcap's spice/lib)"
        }
    )
    return CaptionScores(overall, statistics, not_run)


def tokenized(texts: Sequence[str]) -> list[str]:
    """Return texts as PTB tokens in lower case without punctuation, by the tokenizer that the scorers come with."""
    from pycocoevalcap.tokenizer import ptbtokenizer

    jar = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
    lines = [LINE_BREAKS.sub(" ", text) for text in texts]
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # the package's own wrapper writes beside itself, where one may not be allowed to
        path = Path(folder) / "captions.txt"
        path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
        command = [
            "java",
            "-cp",
            str(jar),
            "edu.stanford.nlp.process.PTBTokenizer",
            "-preserveLines",
            "-lowerCase",
            "-encoding",
            "UTF-8",
        ]
        environment = dict(java_environment())
        done = subprocess.run(
            [*command, str(path)], capture_output=True, env=environment, check=False
        )
    found = done.stdout.decode("utf-8").split("\n")[: len(lines)]
    if done.returncode or len(found) != len(lines):
        raise HarnessError(
            f"the tokenizer of the caption scorers failed: {done.stderr.decode(errors='replace').strip()[-300:]}"
        )
    dropped = set(ptbtokenizer.PUNCTUATIONS)
    return [
        " ".join(word for word in line.rstrip().split(" ") if word not in dropped) for line in found
    ]


def _bleu(said: Texts, truth: Texts) -> tuple[dict[str, float], dict[str, Statistic]]:
    """Return BLEU-1 to 4, and their counts. The scorer's wrapper keeps the counts to itself, so we call what it calls."""
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=MAX_ORDER)
    for number, (caption,) in said.items():
        scorer += (caption, truth[number])
    totals, _ = scorer.compute_score(option="closest", verbose=0)
    cooked = [
        {**part, "closest": min((abs(n - part["testlen"]), n) for n in part["reflen"])[1]}
        for part in scorer.ctest
    ]
    orders = range(1, MAX_ORDER + 1)
    overall = {f"bleu{order}": 100 * float(totals[order - 1]) for order in orders}
    return overall, {
        f"bleu{order}": Bleu(bleu_counts(cooked, order=order), order) for order in orders
    }


def _meteor(said: Texts, truth: Texts) -> tuple[float, Meteor]:
    """Return METEOR, and its counts. What the process's wrapper does in `compute_score`, keeping the counts that pass through it."""
    process = _meteor_process()
    with process.lock:
        lines = [process._stat(caption, truth[number]) for number, (caption,) in said.items()]
        process.meteor_p.stdin.write(" ||| ".join(["EVAL", *lines]).encode() + b"\n")
        process.meteor_p.stdin.flush()
        *_, overall = (float(process.meteor_p.stdout.readline()) for _ in range(len(lines) + 1))
    counts = np.array([line.split() for line in lines], dtype=np.float64).astype(np.int32)
    return 100 * overall, Meteor(counts.reshape(len(lines), METEOR_COUNTS))


@cache
def _meteor_process() -> Any:
    """Return METEOR's process: it reads its table of paraphrases (ten seconds) once for all that is scored."""
    from pycocoevalcap.meteor.meteor import Meteor as MeteorProcess

    return MeteorProcess()


def _scorers() -> Iterator[tuple[str, Any]]:
    """Yield pycocoevalcap's scorers whose metric is the mean over images."""
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.spice import spice

    yield "rouge_l", Rouge()
    yield "cider", Cider()
    models = Path(spice.__file__).parent / "lib"
    if all((models / f"stanford-corenlp-3.6.0{part}.jar").is_file() for part in ("", "-models")):
        yield "spice", spice.Spice()
