"""Caption metrics by the official scorers: BLEU-1 to 4, METEOR, ROUGE-L, CIDEr, and SPICE where its models are.

Source: pycocoevalcap (salaniz's packaging of tylin/coco-caption); we call its scorers one by one, since its own driver builds SPICE, and
so downloads, before it computes anything. Golden `caption_eval`.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.metrics.java import java_environment, java_on_path

# Java takes each of these for the end of a line: every later caption would move to the image before its own, silently.
LINE_BREAKS = re.compile("[\n\r\v\f\x85\u2028\u2029]")
NAMES = {
    "Bleu_1": "bleu1", "Bleu_2": "bleu2", "Bleu_3": "bleu3", "Bleu_4": "bleu4",
    "METEOR": "meteor", "ROUGE_L": "rouge_l", "CIDEr": "cider", "SPICE": "spice",
}  # fmt: skip


@dataclass(frozen=True)
class CaptionScores:
    """Every metric in percent, of all images and of each (in their order), and the reason for each that was not computed.

    BLEU and METEOR of all images are computed from summed counts and are not the means of the images'.
    """

    overall: Mapping[str, float]
    each: Mapping[str, Sequence[float]]
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
    overall: dict[str, float] = {}
    each: dict[str, Sequence[float]] = {}
    with java_on_path():
        for name, scorer in _scorers():
            total, values = scorer.compute_score(truth, said, **({"verbose": 0} if name == "Bleu" else {}))
            for part, result, single in _parts(name, total, values):
                overall[NAMES[part]] = 100 * float(result)
                each[NAMES[part]] = [100 * float(value) for value in single]
    not_run = {} if "spice" in overall else {"spice": "its models are not here (stanford-corenlp-3.6.0 in pycocoevalcap's spice/lib)"}
    return CaptionScores(overall, each, not_run)


def tokenized(texts: Sequence[str]) -> list[str]:
    """Return texts as PTB tokens in lower case without punctuation, by the tokenizer that the scorers come with."""
    from pycocoevalcap.tokenizer import ptbtokenizer

    jar = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
    lines = [LINE_BREAKS.sub(" ", text) for text in texts]
    with tempfile.TemporaryDirectory() as folder:  # the package's own wrapper writes beside itself, where one may not be allowed to
        path = Path(folder) / "captions.txt"
        path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
        command = ["java", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", "-encoding", "UTF-8"]
        environment = dict(java_environment())
        done = subprocess.run([*command, str(path)], capture_output=True, env=environment, check=False)
    found = done.stdout.decode("utf-8").split("\n")[: len(lines)]
    if done.returncode or len(found) != len(lines):
        raise HarnessError(f"the tokenizer of the caption scorers failed: {done.stderr.decode(errors='replace').strip()[-300:]}")
    dropped = set(ptbtokenizer.PUNCTUATIONS)
    return [" ".join(word for word in line.rstrip().split(" ") if word not in dropped) for line in found]


@cache
def _scorers() -> list[tuple[str, Any]]:
    """Return pycocoevalcap's scorers: METEOR's process reads its table of paraphrases (ten seconds) once for all that is scored."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.spice import spice

    scorers = [("Bleu", Bleu(4)), ("METEOR", Meteor()), ("ROUGE_L", Rouge()), ("CIDEr", Cider())]
    models = Path(spice.__file__).parent / "lib"
    if all((models / f"stanford-corenlp-3.6.0{part}.jar").is_file() for part in ("", "-models")):
        scorers.append(("SPICE", spice.Spice()))
    return scorers


def _parts(name: str, total: Any, values: Any) -> list[tuple[str, float, Sequence[float]]]:
    """Return (metric, of all images, of each) of what a scorer returned: BLEU has four metrics, SPICE details for each image."""
    if name == "Bleu":
        return [(f"Bleu_{n}", total[n - 1], values[n - 1]) for n in range(1, 5)]
    if name == "SPICE":
        return [(name, total, [value["All"]["f"] for value in values])]
    return [(name, total, values)]
