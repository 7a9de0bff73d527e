"""ALBEF's adapters, one per capability: its texts, its rule of ranking, its protocol.

Texts are [CLS] and word pieces, without [SEP]. The line numbers are those of salesforce/ALBEF.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.capabilities import AttributePrompts
from harness.errors import UsageError
from harness.models.albef.networks import AlbefPairNetwork, pair_network
from harness.models.fusion.adapter import Adapter
from harness.models.fusion.answering import FusionAnswerer
from harness.models.fusion.comparing import FusionAttributeMatcher, FusionRetriever
from harness.models.fusion.judging import FusionPairReasoner
from harness.models.fusion.locating import FusionLocalizer
from harness.models.fusion.preprocessing import clean_caption, clean_question, normalise
from harness.models.fusion.runtime import TextRule
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.costs import cosine_localization
from harness.models.vit.gradcam import cosine_gradcam_maps
from harness.models.vit.networks import (
    AnsweringNetwork,
    RetrievalNetwork,
    answering_network,
    retrieval_network,
)
from harness.workload import Cost, Workload

CAPTION_WORDS = 30  # `max_words` of all tasks but VQA
GRADCAM_BLOCK = 8  # `block_num` (Grounding.py 276), of either encoder
QUESTION_WORDS = 50  # at test time (dataset/vqa_dataset.py 22)


class AlbefRetriever(FusionRetriever):
    """Implements `harness.capabilities.PairScorer` (Retrieval.py 71-170)."""

    family = "albef"
    rule = TextRule(clean_caption, CAPTION_WORDS, max_tokens=30)
    ranking = "itm"

    def network_of(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return retrieval_network(checkpoint, RetrievalNetwork, purpose="comparing images and texts")


class AlbefAttributeMatcher(FusionAttributeMatcher):
    """Implements `harness.capabilities.AttributeMatcher` (ova_albef.py of OVAD's benchmark)."""

    family = "albef"
    rule = TextRule(max_tokens=25)
    released_prompts = AttributePrompts("the", "mean")

    def network_of(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return retrieval_network(
            checkpoint, RetrievalNetwork, purpose="comparing images and sentences"
        )


class AlbefAnswerer(FusionAnswerer):
    """Implements `harness.capabilities.Answerer` (models/model_vqa.py 149-206)."""

    family = "albef"
    rule = TextRule(clean_question, QUESTION_WORDS)

    def network_of(self, checkpoint: Checkpoint) -> AnsweringNetwork:
        return answering_network(checkpoint)


class AlbefPairReasoner(FusionPairReasoner):
    """Implements `harness.capabilities.PairReasoner` (models/model_nlvr.py)."""

    family = "albef"
    rule = TextRule(clean_caption, CAPTION_WORDS)

    def network_of(self, checkpoint: Checkpoint) -> AlbefPairNetwork:
        return pair_network(checkpoint)


class AlbefLocalizer(FusionLocalizer):
    """Implements `harness.capabilities.Localizer` (Grounding.py 74-144, `gradcam_mode` itm)."""

    family = "albef"
    rule = TextRule(clean_caption, CAPTION_WORDS)
    fusion_layer = 2  # `block_num` 8, where fusion layers begin at 6 (Grounding.py 276)

    def network_of(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return retrieval_network(checkpoint, RetrievalNetwork, purpose="localizing expressions")


class AlbefCosineLocalizer(Adapter[RetrievalNetwork]):
    """The same by the other `gradcam_mode`, itc: what the cosine of image and text is about."""

    family, reads = "albef", ("gradcam", "block")
    rule = TextRule(clean_caption, CAPTION_WORDS)

    @property
    def block(self) -> int:
        """The block of the vision transformer: `block_num`."""
        return self.block_of(self.network)

    @property
    def method(self) -> str:
        return f"itc-gradcam|block {self.block}"

    def network_of(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return retrieval_network(checkpoint, RetrievalNetwork, purpose="localizing expressions")

    def block_of(self, network: RetrievalNetwork) -> int:
        """Return the block that a user chose, by default the released one.

        Raises UsageError for a block that the vision transformer does not have.
        """
        depth, block = network.vision.depth, self.settings.block
        if block is None:
            return min(GRADCAM_BLOCK, depth - 1)
        if block >= depth:
            raise UsageError(
                f"--model-args block={block}: the vision transformer has {depth} blocks, from 0"
            )
        return block

    def differentiable(self, network: RetrievalNetwork) -> Sequence[nn.Module]:
        return [*network.visual_encoder.blocks[self.block_of(network) :]]

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of localizing expressions."""
        return cosine_localization(
            self.network.vision,
            self.network.text,
            workload,
            block=self.block,
            length=self.runtime.mean_length(workload.texts, self.rule),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def localize(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a map [N, P, P] for each expression."""
        device = self.runtime.device
        with device.computing(gradients=True):
            maps = self.maps(normalise(images, device), expressions, image_of)
            result: NDArray[np.float32] = maps.cpu().numpy()
            return result

    def maps(
        self, images: Tensor, expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> Tensor:
        """Return the maps of `localize` for normalised images [M, 3, R, R]."""
        device = self.runtime.device
        return cosine_gradcam_maps(
            self.network,
            images,
            self.network.encode_features(self.token_ids(expressions), device),
            image_of=image_of,
            block=self.block,
            device=device,
        )
