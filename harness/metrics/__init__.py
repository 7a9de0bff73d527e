"""Official metrics as pure functions, each with an example to check by hand.

For predictions of your own, with confidence intervals (`__all__`; imported on first use):

    vqa_accuracy         VQA v2
    nlvr2_accuracy       NLVR2: accuracy and consistency
    grounding_accuracy   boxes by their IoU, as RefCOCO+
    retrieval_recalls    R@1, R@5 and R@10 of image-text retrieval
    caption_scores       BLEU, METEOR, ROUGE-L, CIDEr, SPICE
    attribute_map        OVAD's mean average precision
    detected_attribute_map, BoxAttributes   the same for boxes that a detector found
    iou, Box, in_pixels, in_fractions   boxes
    Metric               a value and its interval

Modules:

measured           the above, and measured_captions those of captions
given              what a user passes to them, checked
vqa                VQA accuracy
nlvr2              accuracy and consistency
grounding          accuracy of boxes
weak_grounding     boxes from localization maps
retrieval          recall from ranks
pairs              ranks from scored image-text pairs
captions           BLEU, METEOR, ROUGE-L, CIDEr, SPICE
caption_sums       BLEU and METEOR from summed counts, to resample images
meteor             METEOR by its Java process
paraphrases        METEOR's table, reduced to what some texts can use
paraphrase_table   the table itself, and paraphrase_index a faster copy in the cache
java               the runtime of the caption scorers
attributes         OVAD's mean average precision
attribute_ranks    the same from resampled images, attribute_sums three resamples at a time
chance_intervals   intervals of OVAD's chance levels, in the cache
detected_attributes  OVAD's mean average precision of boxes that a detector found
attribute_changes  what each image adds to its change between two runs
rounding           scores in the precision that ranks them as given
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.metrics.detected_attributes import BoxAttributes, detected_attribute_map
    from harness.metrics.grounding import Box, in_fractions, in_pixels, iou
    from harness.metrics.measured import (
        Metric,
        attribute_map,
        grounding_accuracy,
        nlvr2_accuracy,
        retrieval_recalls,
        vqa_accuracy,
    )
    from harness.metrics.measured_captions import caption_scores

__all__ = [
    "Box",
    "BoxAttributes",
    "Metric",
    "attribute_map",
    "caption_scores",
    "detected_attribute_map",
    "grounding_accuracy",
    "in_fractions",
    "in_pixels",
    "iou",
    "nlvr2_accuracy",
    "retrieval_recalls",
    "vqa_accuracy",
]
_MODULES = {
    "Box": "grounding",
    "BoxAttributes": "detected_attributes",
    "caption_scores": "measured_captions",
    "detected_attribute_map": "detected_attributes",
    "in_fractions": "grounding",
    "in_pixels": "grounding",
    "iou": "grounding",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name not in __all__:
        raise AttributeError(f"module 'harness.metrics' has no attribute {name!r}")
    module = import_module(f"harness.metrics.{_MODULES.get(name, 'measured')}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
