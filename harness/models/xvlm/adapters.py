"""X-VLM's adapters, one per capability: its texts, its rule of ranking, its protocol.

Texts are [CLS] and word pieces, without [SEP]. X-VLM's protocol strings begin with the head.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import AttributePrompts
from harness.engine.beam_search import Beams
from harness.models.fusion import costs
from harness.models.fusion.adapter import Adapter
from harness.models.fusion.answering import FusionAnswerer
from harness.models.fusion.comparing import FusionAttributeMatcher, FusionRetriever
from harness.models.fusion.describing import FusionCaptioner
from harness.models.fusion.fused_texts import fused_cls
from harness.models.fusion.judging import FusionPairReasoner
from harness.models.fusion.locating import FusionLocalizer
from harness.models.fusion.preprocessing import Images
from harness.models.fusion.runtime import TextRule
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
)
from harness.models.xvlm.networks import (
    answering_network,
    captioning_network,
    grounding_network,
    pair_network,
    retrieval_network,
)
from harness.models.xvlm.preprocessing import (
    CAPTION_WORDS,
    QUESTION_WORDS,
    pre_caption,
    pre_question,
)
from harness.workload import Cost, Workload

PROMPT = "a picture of "  # every caption begins with it, and is cut after its 13 characters
BEAMS = Beams(width=3, max_length=20, min_length=5)  # X-VLM's configuration of COCO captioning
CAPTIONS = TextRule(pre_caption, CAPTION_WORDS)


class XVLMGrounder(Adapter[GroundingNetwork]):
    """Implements `harness.capabilities.Grounder` for checkpoints with a `bbox_head`."""

    family, rule = "", CAPTIONS

    @property
    def method(self) -> str:
        return "bbox"

    def network_of(self, checkpoint: Checkpoint) -> GroundingNetwork:
        return grounding_network(checkpoint)

    def ground(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a box (cx, cy, w, h) in 0..1 for each expression; an image is encoded once."""
        with self.runtime.device.computing():
            boxes: NDArray[np.float32] = self.locate(images, expressions, image_of).numpy()
            return boxes

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of grounding expressions."""
        return costs.grounding(self.demand(workload))

    def locate(
        self, images: Images, expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> Tensor:
        """Return the boxes of `ground` for prepared or normalised images."""
        encoder, device = self.network.text_encoder, self.runtime.device
        kv = encoder.project_kv(self.runtime.encode_images(images))
        tokens = self.token_ids(expressions)  # while a GPU encodes
        return self.network.boxes(fused_cls(encoder, tokens, kv.of_images, image_of, device)).cpu()


class XVLMRetriever(FusionRetriever):
    """Implements `harness.capabilities.PairScorer` for checkpoints with an `itm_head`."""

    family = ""
    # `max_tokens` of the reference's retrieval configurations, [CLS] included.
    rule = TextRule(pre_caption, CAPTION_WORDS, max_tokens=40)
    ranking = "itm"

    def network_of(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return retrieval_network(checkpoint)


class XVLMAttributeMatcher(FusionAttributeMatcher):
    """Implements `harness.capabilities.AttributeMatcher` for checkpoints with `vision_proj`."""

    family = ""
    rule = TextRule(max_tokens=30)  # the configuration of the released 16M model, [CLS] included
    released_prompts = AttributePrompts("all", "mean")

    def network_of(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return retrieval_network(checkpoint)


class XVLMAnswerer(FusionAnswerer):
    """Implements `harness.capabilities.Answerer` for `vqa` checkpoints."""

    family = ""
    rule = TextRule(pre_question, QUESTION_WORDS)

    def network_of(self, checkpoint: Checkpoint) -> AnsweringNetwork:
        return answering_network(checkpoint)


class XVLMPairReasoner(FusionPairReasoner):
    """Implements `harness.capabilities.PairReasoner` for `nlvr` checkpoints."""

    family, rule = "", CAPTIONS

    def network_of(self, checkpoint: Checkpoint) -> PairNetwork:
        return pair_network(checkpoint)


class XVLMCaptioner(FusionCaptioner):
    """Implements `harness.capabilities.Captioner` for `captioning` checkpoints."""

    family = ""
    released_prompt, released_beams = PROMPT, BEAMS

    def network_of(self, checkpoint: Checkpoint) -> CaptioningNetwork:
        return captioning_network(checkpoint)


class XVLMLocalizer(FusionLocalizer):
    """Implements `harness.capabilities.Localizer` for checkpoints with an `itm_head`."""

    family, rule = "", CAPTIONS
    fusion_layer = 3  # `block_num` 9 of X-VLM's `Grounding.yaml`, where fusion layers begin at 6

    def network_of(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return retrieval_network(checkpoint)
