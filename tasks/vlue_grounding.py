"""VLUE's visual grounding, with boxes and weakly supervised, in X-VLM's flat format.

The lists are named in X-VLM's `configs/vlue-base-test`, but VLUE's repository does not hold them:
the reader follows X-VLM's evaluation code, and was never tried on the real files.
"""

from collections.abc import Sequence
from typing import ClassVar

from harness.dataset import Dataset
from harness.formats.folder import DataFolder, Needed
from harness.formats.image_folder import image_folder
from harness.formats.vlue import read_boxed_expressions
from tasks.refcoco_plus import RefCOCOPlus
from tasks.refcoco_plus_weak import DetectedExpression, WeakRefCOCOPlus
from tasks.vlue import IMAGES, VLUE, vlue_dataset, vlue_list

SIZE = {"samples": 1_313}  # alphaxiv.org/benchmarks/hkust/vlue, after the paper's table


class VLUEGrounding(VLUE, RefCOCOPlus):
    """Visual grounding by RefCOCO+-tuned weights; an id is VLUE's `ref_id`."""

    name: ClassVar[str] = "vlue-grounding"
    weights_of: ClassVar[str] = "refcoco+"
    expressions: ClassVar[Needed] = vlue_list("refcoco+_vlue_test.json", "VLUE's expressions")
    dataset: ClassVar[Dataset] = vlue_dataset("refcoco+_vlue_test.json", SIZE)

    def files(self, split: str) -> Sequence[Needed]:
        """Name the expressions and the images."""
        return (self.expressions, IMAGES)

    def load(self, data: DataFolder, split: str) -> Sequence[DetectedExpression]:
        """Read the expressions."""
        return read_vlue_expressions(data, self.expressions, detected=False)


class WeakVLUEGrounding(VLUE, WeakRefCOCOPlus):
    """Visual grounding by choosing among 100 detections, by weights that were tuned without a box.

    As in X-VLM's `grounding_eval_vlue`, the strongest detection of those in the list is chosen.
    """

    name: ClassVar[str] = "vlue-grounding-weak"
    weights_of: ClassVar[str] = "refcoco+-weak"
    expressions: ClassVar[Needed] = vlue_list(
        "refcoco+_bbox100_vlue_test.json", "VLUE's expressions, with detections"
    )
    dataset: ClassVar[Dataset] = vlue_dataset("refcoco+_bbox100_vlue_test.json", SIZE)

    def files(self, split: str) -> Sequence[Needed]:
        """Name the expressions and the images."""
        return (self.expressions, IMAGES)

    def load(self, data: DataFolder, split: str) -> Sequence[DetectedExpression]:
        """Read the expressions and the detections."""
        return read_vlue_expressions(data, self.expressions, detected=True)


def read_vlue_expressions(
    data: DataFolder, needed: Needed, *, detected: bool
) -> Sequence[DetectedExpression]:
    """Return the expressions of one of VLUE's lists; MaRVL's images have no numbers."""
    path, images = data.path(needed), image_folder(data, IMAGES)
    return [
        DetectedExpression(
            id=entry.ref_id,
            images=(images.image(entry.image, where=f"{path}, ref_id {entry.ref_id}"),),
            text=entry.text,
            image=entry.image,
            ref_id=entry.ref_id,
            image_id=0,
            box=entry.box,
            width=entry.width,
            height=entry.height,
            detections=entry.detections,
        )
        for entry in read_boxed_expressions(path, detected=detected)
    ]
