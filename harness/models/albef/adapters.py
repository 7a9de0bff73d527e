"""ALBEF's adapters, one per capability: its texts, its rule of ranking, its protocol.

Texts are [CLS] and word pieces, without [SEP]. The line numbers are those of salesforce/ALBEF.
"""

from harness.models.albef.networks import AlbefPairNetwork, pair_network
from harness.models.fusion.answer_ranking import FIRST_TWICE
from harness.models.preprocessing import clean_caption, clean_question
from harness.models.vit.adapters import (
    FusionAnswerer,
    FusionAttributeMatcher,
    FusionPairReasoner,
    FusionRetriever,
)
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.runtime import TextRule

CAPTION_WORDS = 30  # `max_words` of all tasks but VQA
QUESTION_WORDS = 50  # at test time (dataset/vqa_dataset.py 22)


class AlbefRetriever(FusionRetriever):
    """Implements `harness.capabilities.Retriever` (Retrieval.py 71-170)."""

    family = "albef"
    rule = TextRule(clean_caption, CAPTION_WORDS, max_tokens=30)
    ranking = "itm"


class AlbefAnswerer(FusionAnswerer):
    """Implements `harness.capabilities.Answerer` (models/model_vqa.py 149-206)."""

    family = "albef"
    rule = TextRule(clean_question, QUESTION_WORDS)
    scoring = FIRST_TWICE

    def answer_ids(self, answer: str) -> list[int]:
        """Return [CLS], the word pieces of an answer, and [SEP]."""
        return self.runtime.tokenizer.ids(f"{answer}[SEP]")


class AlbefPairReasoner(FusionPairReasoner):
    """Implements `harness.capabilities.PairReasoner` (models/model_nlvr.py)."""

    family = "albef"
    rule = TextRule(clean_caption, CAPTION_WORDS)

    def build(self, checkpoint: Checkpoint) -> AlbefPairNetwork:
        return pair_network(checkpoint)


class AlbefAttributeMatcher(FusionAttributeMatcher):
    """Implements `harness.capabilities.AttributeMatcher` (ova_albef.py of OVAD's benchmark)."""

    family = "albef"
    rule = TextRule(max_tokens=25)
