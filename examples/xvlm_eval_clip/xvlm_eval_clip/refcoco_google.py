"""RefCOCO by Google's split, in REFER's files: its images and references are RefCOCO's."""

from harness.dataset import Dataset
from harness.formats.coco import coco_images
from harness.formats.folder import Needed
from harness.formats.image_folder import image_folder
from harness.formats.refer import read_references
from tasks.refcoco_plus import Expression, RefCOCOPlus

SOURCE = "https://github.com/lichengunc/refer, file refcoco.zip"
REFS = Needed(("refcoco/refs(google).p",), "the references, Google's split", SOURCE)
INSTANCES = Needed(("refcoco/instances.json",), "the boxes of the references", SOURCE)
IMAGES = coco_images("train2014")


class RefCOCOGoogle(RefCOCOPlus):
    """A box is right from an IoU of one half, as in RefCOCO+; the split is another."""

    name, version, splits = "refcoco-google", 1, ("val", "test")
    dataset, weights_of, extra = Dataset(), "refcoco+", True

    def files(self, split):
        return (REFS, INSTANCES, IMAGES)

    def load(self, data, split):
        images, where = image_folder(data, IMAGES), data.path(INSTANCES)
        return [
            Expression(
                id=sentence.sent_id,
                images=(images.image(ref.file_name, where=str(where)),),
                text=sentence.text,
                image=images.full_name(ref.file_name),
                ref_id=ref.ref_id,
                image_id=ref.image_id,
                box=ref.box,
                width=ref.width,
                height=ref.height,
            )
            for ref in read_references(data.path(REFS), where)
            if ref.split == split
            for sentence in ref.sentences
        ]
