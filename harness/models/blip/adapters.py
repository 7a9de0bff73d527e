"""BLIP's adapters, one per capability: its texts, its rule of ranking, its protocol.

Texts are [CLS], word pieces and [SEP]; [ENC] replaces [CLS] where a text is fused with an image,
[DEC] where it is decoded. The line numbers are those of salesforce/BLIP.
"""

from collections.abc import Sequence
from dataclasses import replace

from harness.capabilities import AttributePrompts
from harness.engine.answer_ranking import ScoringRule
from harness.engine.beam_search import Beams
from harness.models.blip.networks import BlipRetrievalNetwork
from harness.models.blip.preprocessing import pre_caption, pre_question
from harness.models.blip.tokenizer import BlipTokenizer
from harness.models.blip.twin_attention import BlipPairNetwork, pair_network
from harness.models.fusion import costs, layer_costs
from harness.models.fusion.answering import FusionAnswerer, FusionAnswerGenerator
from harness.models.fusion.comparing import FusionAttributeMatcher, FusionRetriever
from harness.models.fusion.describing import FusionCaptioner
from harness.models.fusion.encoded_texts import EncodedTexts
from harness.models.fusion.judging import FusionPairReasoner
from harness.models.fusion.runtime import TextRule
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.networks import (
    AnsweringNetwork,
    CaptioningNetwork,
    answering_network,
    captioning_network,
    retrieval_network,
)
from harness.workload import Cost, Workload

QUESTIONS = TextRule(pre_question, 50, max_tokens=35)
LABEL_SMOOTHING = 0.1  # models/med.py 914: also of the loss that ranks answers


class BlipRetriever(FusionRetriever):
    """Implements `harness.capabilities.PairScorer` (train_retrieval.py 69-168)."""

    family, tokenizer = "blip", BlipTokenizer
    rule = TextRule(pre_caption, 30, max_tokens=35)
    ranking = "itm+itc"
    network: BlipRetrievalNetwork

    def network_of(self, checkpoint: Checkpoint) -> BlipRetrievalNetwork:
        return retrieval_network(
            checkpoint, BlipRetrievalNetwork, purpose="comparing images and texts"
        )

    def encode_texts(self, texts: Sequence[Sequence[int]]) -> EncodedTexts:
        """Encode texts given as token ids; they are fused from [ENC] on."""
        begin = self.runtime.tokenizer.begin_fused
        return self.network.encode_texts(texts, self.runtime.device, begin_fused=begin)

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and texts, whose features are another pass."""
        return add_text_features(super().cost(workload), self, workload)


class BlipAttributeMatcher(FusionAttributeMatcher):
    """Implements `harness.capabilities.AttributeMatcher` (ova_blip.py of OVAD's benchmark)."""

    family, tokenizer = "blip", BlipTokenizer
    rule = TextRule(max_tokens=30)
    released_prompts = AttributePrompts("the", "max")

    def network_of(self, checkpoint: Checkpoint) -> BlipRetrievalNetwork:
        return retrieval_network(
            checkpoint, BlipRetrievalNetwork, purpose="comparing images and sentences"
        )

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and sentences, whose features are another pass."""
        return add_text_features(super().cost(workload), self, workload)


class BlipAnswerer(FusionAnswerer):
    """Implements `harness.capabilities.Answerer` (models/blip_vqa.py); it ranks, as released."""

    family, tokenizer = "blip", BlipTokenizer
    rule = QUESTIONS
    scoring = ScoringRule(first=1.0, smoothing=LABEL_SMOOTHING)

    @property
    def method(self) -> str:
        return f"vqa, ranked, label smoothing {LABEL_SMOOTHING}"

    def network_of(self, checkpoint: Checkpoint) -> AnsweringNetwork:
        return answering_network(checkpoint)


class BlipAnswerGenerator(FusionAnswerGenerator):
    """Implements `harness.capabilities.AnswerGenerator` (models/blip_vqa.py 91-112)."""

    family, tokenizer = "blip", BlipTokenizer
    rule = QUESTIONS
    released_beams = Beams(width=3, max_length=10, min_length=1)

    def network_of(self, checkpoint: Checkpoint) -> AnsweringNetwork:
        return answering_network(checkpoint)


class BlipPairReasoner(FusionPairReasoner):
    """Implements `harness.capabilities.PairReasoner` (models/blip_nlvr.py).

    The official data set swaps the images of a pair at random, also at test time; this does not.
    """

    family, tokenizer = "blip", BlipTokenizer
    rule = TextRule(pre_caption, 40)

    def network_of(self, checkpoint: Checkpoint) -> BlipPairNetwork:
        return pair_network(checkpoint)

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of judging statements by twice the cross-attention."""
        return costs.twin_pair_reasoning(self.demand(workload))


class BlipCaptioner(FusionCaptioner):
    """Implements `harness.capabilities.Captioner` (models/blip.py 77-169)."""

    family, tokenizer = "blip", BlipTokenizer
    released_prompt = "a picture of "
    released_beams = Beams(width=3, max_length=20, min_length=5)  # configs/caption_coco.yaml

    def network_of(self, checkpoint: Checkpoint) -> CaptioningNetwork:
        return captioning_network(checkpoint)


def add_text_features(
    cost: Cost, adapter: BlipRetriever | BlipAttributeMatcher, workload: Workload
) -> Cost:
    """Add the features of the texts: a pass through all layers without their cross-attention."""
    text, length = adapter.network.text, adapter.demand(workload).length
    flops = layer_costs.text_encoder_flops(replace(text, fusion_layer=text.layers), length)
    return cost._replace(flops=cost.flops + len(workload.texts) * flops)
