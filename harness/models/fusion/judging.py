"""Judge statements about two images (NLVR2)."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import Judgement
from harness.models.fusion import costs
from harness.models.fusion.adapter import Adapter
from harness.models.fusion.fused_texts import fused_cls
from harness.models.fusion.networks import PairNetwork
from harness.models.fusion.preprocessing import Images
from harness.workload import Cost, Workload


class FusionPairReasoner(Adapter[PairNetwork]):
    """Fuse a statement with both images, and judge it."""

    @property
    def method(self) -> str:
        return "nlvr"

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of statements."""
        return self.runtime.fused_token_ids(texts, self.rule)

    def judge(
        self, images: NDArray[np.uint8], statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> list[Judgement]:
        """Return whether each statement is true of its two images, `images_of` [N, 2].

        A tie of the logits counts as false, as in the references' argmax.
        """
        with self.runtime.device.computing():
            logits = self.logits(images, statements, images_of)
            return [Judgement(true > false, (false, true)) for false, true in logits.tolist()]

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of judging statements."""
        return costs.pair_reasoning(self.demand(workload))

    def logits(
        self, images: Images, statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> Tensor:
        """Return logits (false, true) [N, 2] for prepared or normalised images."""
        network, device = self.network, self.runtime.device
        pairs, pair_of = np.unique(images_of, axis=0, return_inverse=True)
        kv = network.project_kv(self.runtime.encode_images(images), torch.from_numpy(pairs))
        tokens = self.token_ids(statements)  # while a GPU encodes
        cls = fused_cls(network.text_encoder, tokens, kv.of_pairs, pair_of.reshape(-1), device)
        return network.logits(cls).cpu()
