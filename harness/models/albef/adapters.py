"""ALBEF's adapters, one per capability: its texts, its rule of ranking, its protocol.

Texts are [CLS] and word pieces, without [SEP]. The line numbers are those of salesforce/ALBEF.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from harness.models.albef.networks import AlbefPairNetwork, pair_network
from harness.models.fusion import costs
from harness.models.fusion.answer_ranking import FIRST_TWICE
from harness.models.fusion.gradcam import gradcam_maps, released_layer
from harness.models.preprocessing import clean_caption, clean_question
from harness.models.vit.adapter import Adapter
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.comparing import FusionAttributeMatcher, FusionRetriever
from harness.models.vit.networks import RetrievalNetwork
from harness.models.vit.reasoning import FusionAnswerer, FusionPairReasoner
from harness.models.vit.runtime import TextRule
from harness.workload import Cost, Workload

CAPTION_WORDS = 30  # `max_words` of all tasks but VQA
QUESTION_WORDS = 50  # at test time (dataset/vqa_dataset.py 22)
GRADCAM_FUSION_LAYER = 2  # from 0: `block_num` 8, where fusion layers begin at 6 (Grounding.py 276)


class AlbefRetriever(FusionRetriever):
    """Implements `harness.capabilities.PairScorer` (Retrieval.py 71-170)."""

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


class AlbefLocalizer(Adapter[RetrievalNetwork]):
    """Implements `harness.capabilities.Localizer` (Grounding.py 74-144, `gradcam_mode` itm)."""

    family, kind, purpose = "albef", "retrieval", "localizing expressions"
    rule = TextRule(clean_caption, CAPTION_WORDS)

    @property
    def layer(self) -> int:
        """The layer whose cross-attention is taken: `block_num` 8 of the base model."""
        return released_layer(self.network.text, fusion_layer=GRADCAM_FUSION_LAYER)

    @property
    def method(self) -> str:
        return f"itm-gradcam|layer {self.layer}"

    def build(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return RetrievalNetwork.of(checkpoint)

    def differentiable(self, network: RetrievalNetwork) -> Sequence[nn.Module]:
        layer = released_layer(network.text, fusion_layer=GRADCAM_FUSION_LAYER)
        return network.text_encoder.layers[layer:]

    def localize(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a map [N, P, P] for each expression; an image is encoded once."""
        device = self.runtime.device
        with device.computing(gradients=True):
            maps = gradcam_maps(
                self.network,
                self.runtime.encode_images(images),
                self.token_ids(expressions),
                image_of=image_of,
                layer=self.layer,
                device=device,
            )
            result: NDArray[np.float32] = maps.cpu().numpy()
            return result

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of localizing expressions."""
        return costs.localization(
            self.network.vision,
            self.network.text,
            workload,
            layer=self.layer,
            length=self.runtime.mean_length(workload.texts, self.rule),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )
