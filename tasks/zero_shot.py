"""Flickr30K without tuning on it: the files and metrics of Flickr30K, the weights of COCO.

Protocol: ALBEF's zero-shot evaluation, its `Retrieval.py` with the configuration of Flickr30K and
the weights that were fine-tuned on COCO; BLIP reports the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from harness.capabilities import Model, PairScorer
from tasks.retrieval import Flickr30KRetrieval, Picture


class ZeroShotFlickr30KRetrieval(Flickr30KRetrieval):
    """Retrieval on Flickr30K by a model that was tuned on COCO, or on neither (dual encoders).

    ALBEF and BLIP evaluate their COCO-tuned weights in this way. What weights given by path were
    tuned on is not checked: a file does not show it.
    """

    name: ClassVar[str] = "flickr30k-retrieval-zero-shot"
    extra: ClassVar[bool] = True
    weights_of: ClassVar[str] = "coco-retrieval"
    protocol: ClassVar[str] = "itm-only|k=128|karpathy|zero-shot, tuned on COCO"

    def protocol_of(self, model: Model) -> str:
        """Add that the model has not been tuned on Flickr30K."""
        tuned = ", tuned on COCO" if isinstance(model, PairScorer) else ""
        before, after = super().protocol_of(model).split("|karpathy|", 1)
        return f"{before}|karpathy|zero-shot{tuned}|{after}"

    def flat_lists(self, samples: Mapping[str, Sequence[Picture]]) -> Mapping[str, Any]:
        """Return no list: those of `flickr30k-retrieval` are the same."""
        return {}
