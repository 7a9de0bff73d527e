"""BLIP's adapters, one per capability: its texts, its rule of ranking, its protocol.

Texts are [CLS], word pieces and [SEP]; [ENC] replaces [CLS] where a text is fused with an image,
[DEC] where it is decoded. The line numbers are those of salesforce/BLIP.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.engine.beam_search import Beams, Hypothesis
from harness.models.blip.networks import BlipRetrievalNetwork
from harness.models.blip.preprocessing import pre_caption, pre_question
from harness.models.blip.tokenizer import BlipTokenizer
from harness.models.blip.twin_attention import BlipPairNetwork
from harness.models.fusion import costs, layer_costs
from harness.models.fusion.answer_ranking import AnswerScoring
from harness.models.fusion.captioning import generate_captions
from harness.models.fusion.sizes import TextArchitecture
from harness.models.preprocessing import Images
from harness.models.vit.adapter import Adapter
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.comparing import FusionAttributeMatcher, FusionRetriever
from harness.models.vit.networks import CaptioningNetwork
from harness.models.vit.reasoning import FusionAnswerer, FusionPairReasoner
from harness.models.vit.runtime import TextRule
from harness.workload import Cost, Workload

PROMPT = "a picture of "  # every caption begins with it, and is cut after its 13 characters
CAPTION_BEAMS = Beams(width=3, max_length=20, min_length=5)  # configs/caption_coco.yaml
ANSWER_BEAMS = Beams(width=3, max_length=10, min_length=1)  # models/blip_vqa.py 91-112
LABEL_SMOOTHING = 0.1  # models/med.py 914: also of the loss that ranks answers


class BlipRetriever(FusionRetriever):
    """Implements `harness.capabilities.PairScorer` (train_retrieval.py 69-168)."""

    family, tokenizer = "blip", BlipTokenizer
    network_class = BlipRetrievalNetwork
    rule = TextRule(pre_caption, 30, max_tokens=35)
    ranking = "itm+itc"

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and texts, whose features are another pass."""
        length = self.runtime.mean_length(workload.texts, self.rule)
        features = len(workload.texts) * text_features_flops(self.network.text, length)
        cost = super().cost(workload)
        return cost._replace(flops=cost.flops + features)


class BlipAttributeMatcher(FusionAttributeMatcher):
    """Implements `harness.capabilities.AttributeMatcher` (ova_blip.py of OVAD's benchmark)."""

    family, tokenizer = "blip", BlipTokenizer
    network_class = BlipRetrievalNetwork
    rule = TextRule(max_tokens=30)

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and sentences."""
        length = self.runtime.mean_length(workload.texts, self.rule)
        features = len(workload.texts) * text_features_flops(self.network.text, length)
        cost = super().cost(workload)
        return cost._replace(flops=cost.flops + features)


class BlipPairReasoner(FusionPairReasoner):
    """Implements `harness.capabilities.PairReasoner` (models/blip_nlvr.py).

    The official data set swaps the images of a pair at random, also at test time; this does not.
    """

    family, tokenizer = "blip", BlipTokenizer
    rule = TextRule(pre_caption, 40)

    def build(self, checkpoint: Checkpoint) -> BlipPairNetwork:
        return BlipPairNetwork(checkpoint.architecture)

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of judging statements by twice the cross-attention."""
        length = self.runtime.mean_length(workload.texts, self.rule)
        return costs.twin_pair_reasoning(
            self.network.vision,
            self.network.text,
            workload,
            length=length,
            chunk_sizes=self.runtime.device.chunk_sizes,
        )


class BlipAnswerer(FusionAnswerer):
    """Implements `harness.capabilities.Answerer` (models/blip_vqa.py); it ranks, as released."""

    family, tokenizer = "blip", BlipTokenizer
    rule = TextRule(pre_question, 50, max_tokens=35)
    scoring = AnswerScoring(first=1.0, smoothing=LABEL_SMOOTHING)

    @property
    def method(self) -> str:
        return f"vqa, ranked, label smoothing {LABEL_SMOOTHING}"

    def answer_ids(self, answer: str) -> list[int]:
        """Return [DEC], the word pieces of an answer, and [SEP]."""
        tokenizer = self.runtime.tokenizer
        return [tokenizer.begin_decoded, *tokenizer.ids(answer)[1:]]

    def generate_answers(
        self, images: NDArray[np.uint8], questions: Sequence[str], image_of: NDArray[np.int64]
    ) -> list[str]:
        """Return an answer in free words to each question: `inference: generate`."""
        with self.runtime.device.computing():
            hypotheses = self.generate(images, questions, image_of)
            return [self.runtime.tokenizer.text(answer.tokens) for answer in hypotheses]

    def generate(
        self,
        images: Images,
        questions: Sequence[str],
        image_of: NDArray[np.int64],
        beams: Beams = ANSWER_BEAMS,
    ) -> list[Hypothesis]:
        """Generate answers about prepared or normalised images, as to one question at a time.

        In a batch the official code attends to the padding of shorter questions too, so its answers
        depend on the batch; these are the ones to a question that is asked alone.
        """
        encoded, tokenizer = (
            self.encode_questions(images, questions, image_of),
            self.runtime.tokenizer,
        )
        return generate_captions(
            self.network.text_decoder,
            encoded.states,
            mask=encoded.present,
            prompt=[tokenizer.begin_decoded],
            end=tokenizer.sep,
            beams=beams,
        )


class BlipCaptioner(Adapter[CaptioningNetwork]):
    """Implements `harness.capabilities.Captioner` (models/blip.py 77-169)."""

    family, tokenizer = "blip", BlipTokenizer
    kind, purpose = "captioning", "captioning"
    rule = TextRule()

    @property
    def method(self) -> str:
        return f"captioning|{CAPTION_BEAMS}|prompt '{PROMPT.strip()}'"

    def build(self, checkpoint: Checkpoint) -> CaptioningNetwork:
        return CaptioningNetwork(checkpoint.architecture)

    def caption(self, images: NDArray[np.uint8]) -> list[str]:
        """Return a caption for each image."""
        with self.runtime.device.computing():
            hypotheses = self.generate(images, CAPTION_BEAMS)
            return [self.spell(hypothesis.tokens) for hypothesis in hypotheses]

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of captions that all reach the maximum length."""
        return costs.captioning(
            self.network.vision,
            self.network.text,
            workload,
            beams=CAPTION_BEAMS,
            prompt=len(self.prompt_ids()),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def prompt_ids(self) -> list[int]:
        """Return [DEC] and the word pieces of the prompt."""
        tokenizer = self.runtime.tokenizer
        return [tokenizer.begin_decoded, *tokenizer.piece_ids(PROMPT)]

    def generate(self, images: Images, beams: Beams) -> list[Hypothesis]:
        """Return the best text, prompt included, for each prepared or normalised image."""
        return generate_captions(
            self.network.text_decoder,
            self.runtime.encode_images(images),
            prompt=self.prompt_ids(),
            end=self.runtime.tokenizer.sep,
            beams=beams,
        )

    def spell(self, tokens: list[int]) -> str:
        """Return the caption in tokens: the text without its first 13 characters.

        The reference cuts them whatever they are.
        """
        return self.runtime.tokenizer.text(tokens)[len(PROMPT) :]


def text_features_flops(text: TextArchitecture, length: float) -> float:
    """Return the operations of a text in all layers without their cross-attention."""
    return layer_costs.text_encoder_flops(replace(text, fusion_layer=text.layers), length)
