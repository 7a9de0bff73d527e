"""Grounding and NLVR2: texts fused with one image or two, and a head on their [CLS] states."""

import numpy as np
import torch
from torch import Tensor

from harness.bench import inputs
from harness.bench.agreement import Agreement, compare_decisions, compare_numbers
from harness.bench.comparison import Comparison
from harness.bench.fixtures import Fixtures
from harness.bench.literal import fusion_heads
from harness.models.xvlm.adapters import XVLMGrounder, XVLMPairReasoner
from harness.models.xvlm.heads import GroundingNetwork, PairNetwork

IMAGES_OF_PAIR = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
PAIR_OF_STATEMENT = [0, 0, 1, 1, 2, 2, 3, 4]


def prepare_grounding(fixtures: Fixtures) -> Comparison[Tensor]:
    """Ground 14 expressions in 2 images."""
    model: XVLMGrounder = fixtures.model("bbox")
    network: GroundingNetwork = fixtures.network("bbox")
    images, expressions = fixtures.images(2), fixtures.texts(14, inputs.REFCOCO)
    image_of = np.repeat([0, 1], 7)

    def literal() -> Tensor:
        ids, mask = fixtures.pad(model.token_ids(expressions))
        return fusion_heads.ground(network, images[torch.from_numpy(image_of)], ids, mask).cpu()

    return Comparison(
        engine=lambda: model.locate(images, expressions, image_of),
        literal=literal,
        compare=compare_numbers,
    )


def prepare_pairs(fixtures: Fixtures) -> Comparison[Tensor]:
    """Judge 8 statements about 5 pairs of images."""
    model: XVLMPairReasoner = fixtures.model("nlvr")
    network: PairNetwork = fixtures.network("nlvr")
    images, statements = fixtures.images(10), fixtures.texts(8, inputs.NLVR2)
    pairs = np.array(IMAGES_OF_PAIR)[PAIR_OF_STATEMENT]

    def literal() -> Tensor:
        ids, mask = fixtures.pad(model.token_ids(statements))
        left, right = (images[torch.from_numpy(side)] for side in pairs.T)
        return fusion_heads.judge(network, left, right, ids, mask).cpu()

    return Comparison(
        engine=lambda: model.logits(images, statements, pairs),
        literal=literal,
        compare=_compare_verdicts,
    )


def _compare_verdicts(logits: Tensor, expected: Tensor) -> Agreement:
    """Compare verdicts and logits [N, 2] (false, true)."""
    verdicts, expected_verdicts = (
        (side[:, 1] > side[:, 0]).tolist() for side in (logits, expected)
    )
    return compare_decisions(verdicts, expected_verdicts, scores=logits, expected_scores=expected)
